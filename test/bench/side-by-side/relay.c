/*
 * The yardstick: the smallest relay between a TAP and a macvtap that the kernel allows from
 * user space. Same bursts, vnet header and offloads as ipmpd; no look-up, no rewriting, no
 * counters. What it reaches is the limit for any forwarder that goes through these devices.
 *
 * Usage: relay TAP MACVTAP-NODE    (the TAP exists or is made; runs until killed)
 */
#include "relay-device.h"

#include <sys/epoll.h>

static char slab[BURST][SLOT_LENGTH];
static int lengths[BURST];

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
