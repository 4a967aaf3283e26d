#!/bin/bash
# Boots systemd as PID 1 on a root of its own. Run as the first process of new mount, pid, uts, ipc,
# net and cgroup namespaces; nothing outlives them.
#
#   systemd-root.sh ROOT REPOSITORY NODE     ROOT: an empty folder with the subfolder `etc` to be
#                                            copied; NODE: the node that runs ipmpd
#
# The repository lies at /checkout; whatever is installed from it into /opt, /etc and /usr/bin goes
# with the namespaces.
set -eu
root=$1 repository=$2 node=$3

mount -t tmpfs tmpfs "$root/new"
cd "$root/new"
mkdir -p usr/bin hostusr checkout proc sys dev run tmp var root opt old
cp -r "$root/etc" etc
# A /usr in which programs can be installed: the host's, by links.
mount --rbind /usr hostusr
for entry in hostusr/*; do
	[ "$entry" = hostusr/bin ] || ln -s "/$entry" usr/
done
find hostusr/bin -mindepth 1 -maxdepth 1 -printf '/%p\0' | xargs -0 ln -s -t usr/bin
for folder in bin sbin lib lib64; do ln -s usr/$folder $folder; done
case $node in
/usr/*) ;;
*)
	mkdir opt/nodejs
	mount --rbind "$(dirname "$(dirname "$node")")" opt/nodejs
	ln -sf /opt/nodejs/bin/node /opt/nodejs/bin/npm usr/bin/
	;;
esac
mount --bind "$repository" checkout
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs -o dev tmpfs dev
mkdir -p dev/pts dev/shm dev/net
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/net/tun c 10 200

ip link set lo up
for nic in 0 1; do
	ip link add eth$nic type veth peer name far$nic
	ip link set eth$nic up
	ip link set far$nic up
done

pivot_root . old
umount -l /old
exec env -i container=private /usr/lib/systemd/systemd --unit=test.target --show-status=0
