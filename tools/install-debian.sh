#!/bin/sh
# Installs what the tests on real NFS servers and real kernels need, on Debian 12 or later.
#
#   sudo tools/install-debian.sh           install what is missing
#   tools/install-debian.sh --check        exit 0 if nothing is missing, else name it and exit 1
#   tools/install-debian.sh --for-demo     install what the demo's guests need; where that cannot be, say so and
#                                          exit 0: the demo has other tiers
#
# No service is started or enabled: the tests run their own, in namespaces of their own. What apt-get says is shown
# if it fails.
set -eu

# NFS-Ganesha, the server in user space; rpcbind, without which it does not start.
ganesha="nfs-ganesha nfs-ganesha-vfs rpcbind"
# User-mode Linux, with the kernel's NFS server and client, and the file systems that it exports.
guests="user-mode-linux nfs-common nfs-kernel-server xfsprogs btrfs-progs e2fsprogs quota kmod iproute2"
# A compiler for the few lines that a guest needs on a processor with AMX: src/lab/guest/wide-registers.ts says why.
if grep -qsw amx_tile /proc/cpuinfo; then guests="$guests tcc"; fi
# Judges: an NFS client that is not ours, and TLS around a connection as Amazon EFS has it.
judges="libnfs-utils stunnel4 openssl"
# pgrep and pkill, by which tests find processes in guests.
processes="procps"
packages="$ganesha $guests $judges $processes"
case ${1:-} in --for-demo*) packages="$guests rpcbind" ;; esac

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

# Runs apt-get, and keeps what it says to itself unless it fails.
apt_get() {
  said=$(apt-get -qq "$@" 2>&1) || {
    printf '%s\n' "$said" >&2
    return 1
  }
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
if [ "${1:-}" = --for-demo ] && [ -n "$lacking" ]; then
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "For the demo on real kernels, first: sudo apt-get install --no-install-recommends $lacking" >&2
    exit 0
  fi
  trap 'exit 130' INT # waits for what is below
  sh "$0" --for-demo-now >&2 || echo "That failed; the demo takes what there is." >&2
  exit 0
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
  echo "Installing Debian packages, once, and starting no service: $lacking" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt_get update
  # shellcheck disable=SC2086  # a list of words
  apt_get install -y --no-install-recommends --download-only $lacking
  # A dpkg that is cut in the middle is a person's to repair: from here on Ctrl-C waits for the end.
  trap '' INT TERM HUP
  # A policy that forbids all starts for as long as the installation takes (policy-rc.d(8)). What a SIGKILL leaves of
  # it forbids nothing, and goes the next time.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ] || grep -q "$(basename "$0")" "$policy"; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\n# of %s\n[ ! -d /proc/%s ] || exit 101\n' "$(basename "$0")" $$ >"$policy"
    chmod +x "$policy"
  fi
  # shellcheck disable=SC2086  # a list of words
  apt_get install -y --no-install-recommends $lacking
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
