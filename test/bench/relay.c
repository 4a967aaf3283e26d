/*
 * The yardstick: the smallest relay between a TAP and a macvtap that the kernel allows from
 * user space. Same bursts, vnet header and offloads as ipmpd; no look-up, no rewriting, no
 * counters. What it reaches is the limit for any forwarder that goes through these devices.
 *
 * Usage: relay TAP MACVTAP-NODE    (the TAP exists or is made; runs until killed)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    BURST = 64,                 /* frames a device may bring before the other has its turn */
    VNET_HEADER_LENGTH = 10,    /* struct virtio_net_hdr without the merged-buffer count */
    SLOT_LENGTH = 1025 * 64,    /* one super-frame with its headers, in cache lines */
    TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
    USO = 0x20 | 0x40,          /* TUN_F_USO4 | TUN_F_USO6, newer than some headers */
};

static char slab[BURST][SLOT_LENGTH];
static int lengths[BURST];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Opens `node` as `name`, non-blocking, with the vnet header and every offload there is. */
static int open_device(const char *node, const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    int header = VNET_HEADER_LENGTH;
    int fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        die(node);
    if (name)
        strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        die("TUNSETIFF");
    if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
        die("TUNSETVNETHDRSZ");
    if (ioctl(fd, TUNSETOFFLOAD, TSO | USO) < 0 && ioctl(fd, TUNSETOFFLOAD, TSO) < 0)
        die("TUNSETOFFLOAD");
    return fd;
}

/* One burst from `in` to `out`; a frame that `out` does not take is lost, as on any wire. */
static void relay(int in, int out)
{
    int count = 0;
    while (count < BURST) {
        ssize_t length = read(in, slab[count], SLOT_LENGTH);
        if (length < 0 && errno == EAGAIN)
            break;
        if (length < 0)
            die("read");
        lengths[count++] = (int)length;
    }
    for (int i = 0; i < count; i++) {
        if (write(out, slab[i], (size_t)lengths[i]) < 0 && errno == EAGAIN)
            break;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s TAP MACVTAP-NODE\n", argv[0]);
        return 2;
    }
    int fds[2] = { open_device("/dev/net/tun", argv[1]), open_device(argv[2], NULL) };
    int poll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = (unsigned)i };
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &event) < 0)
            die("epoll_ctl");
    }
    for (;;) {
        struct epoll_event ready[2];
        int count = epoll_wait(poll, ready, 2, -1);
        for (int i = 0; i < count; i++)
            relay(fds[ready[i].data.u32], fds[1 - ready[i].data.u32]);
    }
}
