# Becomes the command, in the root file system `$1`, as the user `$2`, in the folder `$3`. Runs as the first process of
# namespaces of its own: when it ends, the kernel ends all processes in it and undoes the mounts.
set -eu
root=$1 user=$2 folder=$3
shift 3

mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
# Not chroot: the kernel refuses user namespaces in one, and `make run` uses them.
mkdir -p .host
pivot_root . .host
cd /
umount --lazy /.host

# A shell stays the first process: it takes in processes whose parents ended, as an init does. Not in the background,
# where the command would ignore Ctrl-C.
status=0
setpriv --reuid "$user" --regid "$user" --init-groups --reset-env env --chdir "$folder" "$@" || status=$?
exit "$status"
