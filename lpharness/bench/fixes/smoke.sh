# shellcheck shell=sh
# Touches much of the kernel a little: files, memory, processes, pipes, network, /proc and /sys.
# The same on each side of a patch; busybox is enough.
set -e
mkdir -p /run/smoke/mnt
cd /run/smoke
dd if=/dev/urandom of=one bs=64k count=8 2>/dev/null
cp one two
cmp one two
mv two three
ln -s three link
cmp one link
mount -t tmpfs none mnt
cp one mnt/one
umount mnt
for _ in 1 2 3 4; do (cat /proc/self/maps /proc/self/status /proc/self/stat >/dev/null) & done
wait
cat /proc/meminfo /proc/vmstat /proc/interrupts /proc/net/dev /proc/net/route /proc/net/tcp \
  /proc/net/udp /proc/net/unix /proc/net/snmp /proc/mounts /proc/partitions /proc/loadavg >/dev/null
cat /sys/kernel/mm/transparent_hugepage/enabled /sys/class/net/lo/statistics/rx_bytes >/dev/null
ip link set lo up
ip addr show >/dev/null
ip route show >/dev/null
ping -c 1 -W 5 127.0.0.1 >/dev/null
gzip -c one | gunzip -c | cmp - one
mkfifo pipe
cat one >pipe &
cmp pipe one
wait
date >/dev/null
sync
cd /
rm -r /run/smoke
echo "smoke done"
