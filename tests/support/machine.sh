# Make a machine and become its systemd: this machine's files with memory laid over them, all else its own but the
# network. $1: an empty directory; $2: its cgroup's name; $3: the project; $4: a directory that both see; $5: a program.
# Of the units that this machine has there are none, so that nothing is started but what a test wants.
set -e
made=$1 group=$2 project=$3 shared=$4 program=$5
mount --make-rprivate /
mount -t tmpfs tmpfs "$made"
mkdir "$made/upper" "$made/work" "$made/root" "$made/cgroup"
mount -t cgroup2 cgroup2 "$made/cgroup"
mkdir "$made/cgroup/$group"
echo $$ > "$made/cgroup/$group/cgroup.procs"
mount -t overlay -o "lowerdir=/,upperdir=$made/upper,workdir=$made/work" overlay "$made/root"
cd "$made/root"
for memory in dev run tmp usr/lib/systemd/system usr/lib/systemd/system-generators etc/systemd/system; do
    mount -t tmpfs -o mode=0755 tmpfs "$memory"
done
chmod 1777 tmp
mkdir -p ".$project" ".$shared" dev/shm dev/pts usr/local/bin
mount --rbind "$project" ".$project"
mount --rbind "$shared" ".$shared"
touch usr/local/bin/envoy
mount --bind "$program" usr/local/bin/envoy
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
for target in sysinit basic multi-user network network-online shutdown; do
    printf '[Unit]\nDefaultDependencies=no\n' > "usr/lib/systemd/system/$target.target"
done
ln -s multi-user.target usr/lib/systemd/system/default.target
printf '[Manager]\nDefaultStandardOutput=null\n' > etc/systemd/system.conf
exec unshare --mount --cgroup --ipc --uts --pid --fork sh -e -c '
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
exec env -i container=zdm PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /lib/systemd/systemd --log-target=console --show-status=0
'
