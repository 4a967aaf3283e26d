/* How both relays open their devices: as the daemon does, and nothing more. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    BURST = 64,                 /* frames a device may bring before the other has its turn */
    VNET_HEADER_LENGTH = 10,    /* struct virtio_net_hdr without the merged-buffer count */
    SLOT_LENGTH = 1025 * 64,    /* one super-frame with its headers, in cache lines */
    TSO = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
    USO = 0x20 | 0x40,          /* TUN_F_USO4 | TUN_F_USO6, newer than some headers */
};

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
