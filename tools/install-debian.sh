#!/bin/sh
# Installs what the tests on real NFS servers and real kernels need, on Debian 12 or later.
#
#   sudo tools/install-debian.sh           install what is missing
#   tools/install-debian.sh --check        exit 0 if nothing is missing, else name it and exit 1
#
# No service is started or enabled: the tests run their own, in namespaces of their own.
set -eu

# NFS-Ganesha, the server in user space; rpcbind, without which it does not start.
ganesha="nfs-ganesha nfs-ganesha-vfs rpcbind"
# User-mode Linux, with the kernel's NFS server and client, and the file systems that it exports.
guests="user-mode-linux nfs-common nfs-kernel-server xfsprogs btrfs-progs e2fsprogs quota kmod iproute2"
# Judges: an NFS client that is not ours, and TLS around a connection as Amazon EFS has it.
judges="libnfs-utils stunnel4 openssl"
packages="$ganesha $guests $judges"

missing() {
  # shellcheck disable=SC2086  # a list of words
  installed=$(dpkg-query --show --showformat=' ${Package}:${db:Status-Status} ' $packages 2>/dev/null || true)
  for package in $packages; do
    case $installed in
      *" $package:installed "*) ;;
      *) printf '%s ' "$package" ;;
    esac
  done
}

# Only what this script has brought; a server that runs already is somebody's.
disable() {
  command -v systemctl >/dev/null || return 0
  systemctl disable --quiet "$@" || true
}

lacking=$(missing)
if [ "${1:-}" = --check ]; then
  [ -z "$lacking" ] && exit 0
  echo "missing: $lacking" >&2
  exit 1
fi
if [ -n "$lacking" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "missing: $lacking" >&2
    echo "run: sudo $0" >&2
    exit 1
  fi
  if ! command -v apt-get >/dev/null; then
    echo "missing, and this is no Debian: $lacking" >&2
    echo "run the tests in one: docker run --rm --privileged -v \"\$PWD:/berth\" -w /berth node:24-bookworm make test" >&2
    exit 1
  fi
  # A policy that forbids all starts for as long as the installation takes (policy-rc.d(8)).
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086  # a list of words
  apt-get install -y -qq --no-install-recommends $lacking
  for package in $lacking; do
    case $package in
      nfs-kernel-server) disable nfs-server.service nfs-blkmap.service ;;
      nfs-ganesha) disable nfs-ganesha.service ;;
      rpcbind) disable rpcbind.service rpcbind.socket ;;
      stunnel4) disable stunnel4.service ;;
    esac
  done
fi
# Guests bind the modules of their own kernel there.
[ -d /lib/modules ] || mkdir -p /lib/modules
