/**
 * What runs as process 1 in a guest. It makes a root that cannot harm the host (the host's own, read-only,
 * under an overlay in the guest's memory), configures the one interface, and then serves the control line.
 *
 * The kernel hands it `guest_name`, `guest_address` (with prefix) and `guest_control` (a directory of the
 * room) as environment. It speaks on the first serial line, in lines:
 *
 *     guest  ready               once
 *     host   run ID              runs ID.sh of the control directory, ID.in to ID.out and ID.err
 *     guest  ID CODE             that has ended
 *     host   start ID            the same for what goes on: in a session of its own, with JOB=ID, and file 3
 *                                this line, so that it can say
 *     guest  ID up PID           what it was started for has begun
 *     guest  ID pid PID          its first process, and the number of its session
 *     host   mounts ID           writes its mount table to ID.out, without a process of its own
 *     host   kill ID             kills it with all that it started
 *     host   off                 powers the guest off
 *
 * The line is a canonical terminal, which gives one line at a time: on a raw one `read` takes all that is there, and
 * the next reader in the same process, here `mapfile`, throws away what it had ahead (bash 5.2, seen with strace).
 *
 * It is a shell because a process costs 20 ms in a guest, and a Node.js to serve the line 800 ms.
 */
export const initScript = `#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
mount --bind /usr/lib/uml/modules /lib/modules
modprobe overlay
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
mkdir host
pivot_root . host
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mkdir /run/control /run/lock
mount --bind /usr/lib/uml/modules /lib/modules
mount -t hostfs -o "sync,$guest_control" control /run/control
umount -l /host
echo "$guest_name" > /proc/sys/kernel/hostname
ip -batch - <<END
link set lo up
address add $guest_address dev vec0
link set vec0 up
END
stty -F /dev/ttyS0 raw icanon -echo
exec 3<>/dev/ttyS0 </dev/null
cd /root
set -m
echo ready >&3
while read -r verb id <&3; do
  base=/run/control/$id
  case $verb in
    run)
      { sh "$base.sh" <"$base.in" >"$base.out" 2>"$base.err" 3>&-; echo "$id $?" >&3; } &
      eval "job_$id=$!"
      ;;
    start)
      {
        JOB=$id setsid sh "$base.sh" </dev/null >"$base.out" 2>"$base.err" &
        echo "$id pid $!" >&3
        wait "$!"
        echo "$id $?" >&3
      } &
      ;;
    mounts)
      mapfile -t table < /proc/self/mountinfo
      printf '%s\\n' "\${table[@]}" >"$base.out"
      echo "$id 0" >&3
      ;;
    kill) eval "kill -KILL -- -\\$job_$id" ;;
    off) break ;;
  esac
done
sync
echo o > /proc/sysrq-trigger
sleep infinity
`;
