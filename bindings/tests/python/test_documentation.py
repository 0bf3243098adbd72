"""The examples in the documentation run, and there is documentation for everything."""

from __future__ import annotations

import ast
import doctest
import inspect
import pathlib
import pkgutil

import dmr
import dmr.aio
from dmr import _dmr, testing


def test_the_examples_run() -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    finder = doctest.DocTestFinder(exclude_empty=False)
    for module in (dmr, testing):
        for test in finder.find(module):
            runner.run(test)
    runner.run(doctest.DocTestParser().get_doctest(dmr.seal.__doc__ or "", {"dmr": dmr}, "dmr.seal", None, None))
    results = runner.summarize()
    assert results.failed == 0 and results.attempted >= 10


def test_everything_public_is_documented() -> None:
    for module in (dmr, dmr.aio, _dmr):
        for name in module.__all__:
            member = getattr(module, name)
            if not (inspect.isclass(member) or inspect.isroutine(member)):
                continue
            assert inspect.getdoc(member), f"{module.__name__}.{name}"
            if not inspect.isclass(member):
                continue
            for inner, value in vars(member).items():
                public = not inner.startswith("_") and (callable(value) or isinstance(value, (property, classmethod)))
                if public or inspect.isgetsetdescriptor(value) and not inner.startswith("_"):
                    assert inspect.getdoc(getattr(member, inner)), f"{module.__name__}.{name}.{inner}"


def test_help_on_seal_says_what_it_takes_and_what_it_raises() -> None:
    text = inspect.getdoc(dmr.seal) or ""
    signature = inspect.signature(dmr.seal)
    for parameter in signature.parameters:
        assert f"{parameter}" in text, parameter
    assert "Raises:" in text and "dmr.SealError" in text


def test_the_sources_are_of_python_3_9() -> None:
    package = pathlib.Path(dmr.__file__).parent
    sources = sorted(package.rglob("*.py"))
    assert len(sources) > 10
    for source in sources:
        ast.parse(source.read_text(), feature_version=(3, 9))
    assert {module.name for module in pkgutil.iter_modules([str(package)])} >= {"aio", "authority", "errors", "testing"}
    assert (package / "py.typed").exists()
