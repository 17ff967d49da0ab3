/**
 * Makes a container of the process that runs it, and becomes the pod's program: a root of its own on a
 * small tmpfs, the machine's programs in it read-only, the volume at /data, and nothing else. The old
 * root is let go, as container runtimes do: what stayed of it would keep the node's mounts alive.
 * $1: an empty directory for the root. $2: where kubelet had the volume mounted. $3: the program.
 */
export const containerScript = `
set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o size=1m,mode=755 container "$1"
for directory in /usr /bin /sbin /lib /lib32 /lib64; do
  if [ -L "$directory" ]; then
    cp -P "$directory" "$1$directory"
  elif [ -d "$directory" ]; then
    mkdir "$1$directory"
    mount -o rbind,ro "$directory" "$1$directory"
  fi
done
mkdir "$1/data" "$1/proc"
mount --bind "$2" "$1/data"
mount -t proc proc "$1/proc"
cd "$1"
pivot_root . .
umount -l .
exec chroot . /bin/sh -c "$3"
`;

/** The pod's program: one command a line, each answered by lines that end with one of a single dot. */
export const podProgram = `
PATH=/usr/sbin:/usr/bin:/sbin:/bin
echo .
while read -r command text; do
  case $command in
    write) echo "$text" >> /data/log ;;
    read) cat /data/log ;;
    df) df /data ;;
    mounts) cat /proc/self/mountinfo ;;
  esac 2>&1
  echo .
done
`;
