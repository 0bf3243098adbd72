#!/bin/sh
# Sets the policies that DMR's queues need. Running it again changes nothing; running it on a live broker is safe.
#
#   policies.sh [--vhost VHOST] [--node NODE]
#
# VHOST is / by default and must exist. NODE is a node of the cluster, by default this machine's. RABBITMQCTL names the
# program, where it is not in PATH. What each policy is for: README.md.
set -eu

vhost=/
node=
while [ $# -gt 0 ]; do
  case $1 in
    --vhost) vhost=${2:?--vhost needs a name}; shift 2 ;;
    --node) node=${2:?--node needs a name}; shift 2 ;;
    *) echo "usage: $0 [--vhost VHOST] [--node NODE]" >&2; exit 64 ;;
  esac
done

set_policy() {
  "${RABBITMQCTL:-rabbitmqctl}" ${node:+--node "$node"} --quiet set_policy --vhost "$vhost" --priority 10 --apply-to queues \
    "$1" "$2" "$3"
  echo "$vhost: $1"
}

set_policy dmr-mailboxes '^dmr\.a\.' \
    '{"dead-letter-exchange":"dmr.dlx","dead-letter-strategy":"at-least-once","delivery-limit":10000,"max-length-bytes":268435456,"message-ttl":86400000,"overflow":"reject-publish","queue-leader-locator":"balanced"}'
set_policy dmr-dead '^dmr\.dead$' \
    '{"delivery-limit":10000,"max-length-bytes":268435456,"overflow":"reject-publish","queue-leader-locator":"balanced"}'
set_policy dmr-dead-kept '^dmr\.dead\.kept$' \
    '{"delivery-limit":10000,"max-length":100000,"max-length-bytes":1073741824,"message-ttl":1209600000,"overflow":"drop-head","queue-leader-locator":"balanced"}'
set_policy dmr-probe '^dmr\.probe$' \
    '{"max-length":1000,"message-ttl":60000,"overflow":"drop-head","queue-leader-locator":"balanced"}'
