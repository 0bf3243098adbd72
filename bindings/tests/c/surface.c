/* Every function of the library, used as it is meant and as it is not. */
#include "check.h"

int main(int argc, char **argv)
{
    size_t live;
    CHECK(argc == 2);
    test_keys_and_ids();
    test_directory();
    test_trust();
    test_sealing();
    test_receipts();
    test_login(argv[1]);
    test_session(argv[1]);
    test_handles();
    test_fork();
    test_threads();
    test_nulls();
    test_random_bytes();
    OK(dmr_live_handles(&live));
    CHECK(live == 0);
    puts("all is well");
    return 0;
}
