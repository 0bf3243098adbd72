#!/bin/sh
# Makes the user as which servers connect, or gives an existing one what it needs. Never touches the password of a user
# that exists.
#
#   user.sh [--user NAME] [--vhost VHOST] [--node NODE]
#
# NAME is dmr-server by default, VHOST is /, NODE this machine's. RABBITMQCTL names the program, where it is not in PATH.
# A new user has no password: it can log in with a client certificate (EXTERNAL), or once you have set one:
#
#   rabbitmqctl change_password dmr-server < password-file
set -eu

user=dmr-server
vhost=/
node=
while [ $# -gt 0 ]; do
  case $1 in
    --user) user=${2:?--user needs a name}; shift 2 ;;
    --vhost) vhost=${2:?--vhost needs a name}; shift 2 ;;
    --node) node=${2:?--node needs a name}; shift 2 ;;
    *) echo "usage: $0 [--user NAME] [--vhost VHOST] [--node NODE]" >&2; exit 64 ;;
  esac
done

ctl() {
  "${RABBITMQCTL:-rabbitmqctl}" ${node:+--node "$node"} --quiet "$@"
}

if ! ctl list_users --no-table-headers | cut -f1 | grep -qxF -- "$user"; then
  # From standard input, so that it shows in no list of processes; then taken away again.
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' | ctl add_user "$user" > /dev/null
  ctl clear_password "$user"
fi
# To read what the broker is and which policies apply. It may change nothing by it.
ctl set_user_tags "$user" monitoring
# Every name of DMR begins with dmr. and no other does: configure, write, read.
ctl set_permissions --vhost "$vhost" "$user" '^dmr\.' '^dmr\.' '^dmr\.'
echo "$vhost: $user"
