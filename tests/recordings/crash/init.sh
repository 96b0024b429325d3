#!/bin/busybox sh
# shellcheck shell=dash
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
how=$(sed -n 's/.*lph=\([a-z0-9]*\).*/\1/p' /proc/cmdline)
case $how in
  clean) cat /proc/uptime ;;
  livepatch)
    insmod /lphlive.ko; cat /proc/cmdline
    while [ "$(cat /sys/kernel/livepatch/lphlive/transition)" = 1 ]; do sleep 0.2; done
    echo 0 > /sys/kernel/livepatch/lphlive/enabled
    while [ -d /sys/kernel/livepatch/lphlive ]; do sleep 0.2; done
    sleep 1; rmmod lphlive ;;
  sysrqc) echo c > /proc/sysrq-trigger ;;
  sysrql) echo 1 > /proc/sys/kernel/sysrq; echo l > /proc/sysrq-trigger; sleep 1 ;;
  sysrqb) echo b > /proc/sysrq-trigger ;;
  reboot) reboot -f ;;
  killinit) exit 3 ;;
  oom) tail /dev/zero; sleep 1 ;;
  hang) insmod /lphcrash.ko how=hang ;;
  nullpanic) echo 1 > /proc/sys/kernel/panic_on_oops; insmod /lphcrash.ko how=null ;;
  *) insmod /lphcrash.ko how="$how" ;;
esac
sleep 1
poweroff -f
