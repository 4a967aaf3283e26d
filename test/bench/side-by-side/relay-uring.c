/*
 * The relay of relay.c over io_uring instead of epoll, read and write: multishot reads into
 * provided buffers, writes submitted by the burst, one system call for all. It is here to answer
 * whether io_uring would pay (docs/performance.md has the figures).
 *
 * Usage: relay-uring TAP MACVTAP-NODE    (the TAP exists or is made; runs until killed)
 */
#include "relay-device.h"

#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
    ENTRIES = 256,                      /* requests of one system call at most */
    COMPLETIONS = 1024,
    READ_MULTISHOT = 49,                /* IORING_OP_READ_MULTISHOT (Linux 6.7) */
    SINGLE_ISSUER = 1 << 12,            /* IORING_SETUP_SINGLE_ISSUER (Linux 6.0) */
    DEFER_TASKRUN = 1 << 13,            /* IORING_SETUP_DEFER_TASKRUN (Linux 6.1) */
    WRITE_MARK = 1 << 16,               /* in user_data: a write, with its buffer above */
};

static char slab[2][BURST][SLOT_LENGTH];
static struct io_uring_buf_ring *rings[2];
static struct io_uring_sqe *entries;
static struct io_uring_cqe *completions;
static unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static unsigned pending;
static int uring;
static int fds[2];

static void set_up(void)
{
    struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE | SINGLE_ISSUER | DEFER_TASKRUN,
                                 .cq_entries = COMPLETIONS };
    uring = (int)syscall(__NR_io_uring_setup, ENTRIES, &p);
    if (uring < 0)
        die("io_uring_setup");
    size_t size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    size_t cq = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    char *ring = mmap(0, size > cq ? size : cq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                      uring, IORING_OFF_SQ_RING);
    entries = mmap(0, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_POPULATE, uring, IORING_OFF_SQES);
    if (ring == MAP_FAILED || entries == MAP_FAILED)
        die("mmap");
    sq_tail = (unsigned *)(ring + p.sq_off.tail);
    sq_mask = (unsigned *)(ring + p.sq_off.ring_mask);
    sq_array = (unsigned *)(ring + p.sq_off.array);
    cq_head = (unsigned *)(ring + p.cq_off.head);
    cq_tail = (unsigned *)(ring + p.cq_off.tail);
    cq_mask = (unsigned *)(ring + p.cq_off.ring_mask);
    completions = (struct io_uring_cqe *)(ring + p.cq_off.cqes);
}

static struct io_uring_sqe *next_entry(void)
{
    unsigned at = (*sq_tail + pending++) & *sq_mask;
    sq_array[at] = at;
    memset(&entries[at], 0, sizeof(entries[at]));
    return &entries[at];
}

static void give_buffer(int device, int buffer)
{
    struct io_uring_buf_ring *ring = rings[device];
    struct io_uring_buf *to = &ring->bufs[ring->tail & (BURST - 1)];
    to->addr = (uint64_t)(uintptr_t)slab[device][buffer];
    to->len = SLOT_LENGTH;
    to->bid = (uint16_t)buffer;
    __atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
}

static void arm(int device)
{
    struct io_uring_sqe *entry = next_entry();
    entry->opcode = READ_MULTISHOT;
    entry->fd = fds[device];
    entry->flags = IOSQE_BUFFER_SELECT;
    entry->buf_group = (uint16_t)device;
    entry->off = (uint64_t)-1;
    entry->user_data = (uint64_t)device;
}

static void complete(const struct io_uring_cqe *cqe)
{
    int device = (int)(cqe->user_data & 1);
    if (cqe->user_data & WRITE_MARK) {
        give_buffer(device, (int)(cqe->user_data >> 32));
        return;
    }
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        int buffer = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        struct io_uring_sqe *entry = next_entry();
        entry->opcode = IORING_OP_WRITE;
        entry->fd = fds[1 - device];
        entry->addr = (uint64_t)(uintptr_t)slab[device][buffer];
        entry->len = (unsigned)cqe->res;
        entry->user_data = (uint64_t)buffer << 32 | WRITE_MARK | (unsigned)device;
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm(device);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    fds[0] = open_device("/dev/net/tun", argv[1]);
    fds[1] = open_device(argv[2], NULL);
    set_up();
    for (int device = 0; device < 2; device++) {
        void *memory = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct io_uring_buf_reg reg = { .ring_addr = (uint64_t)(uintptr_t)memory,
                                        .ring_entries = BURST, .bgid = (uint16_t)device };
        rings[device] = memory;
        if (syscall(__NR_io_uring_register, uring, IORING_REGISTER_PBUF_RING, &reg, 1) < 0)
            die("IORING_REGISTER_PBUF_RING");
        for (int buffer = 0; buffer < BURST; buffer++)
            give_buffer(device, buffer);
        arm(device);
    }
    for (;;) {
        unsigned count = pending;
        __atomic_store_n(sq_tail, *sq_tail + count, __ATOMIC_RELEASE);
        pending = 0;
        if (syscall(__NR_io_uring_enter, uring, count, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 &&
            errno != EINTR)
            die("io_uring_enter");
        unsigned head = *cq_head;
        while (head != __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) && pending < ENTRIES - 4)
            complete(&completions[head++ & *cq_mask]);
        __atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
    }
}
