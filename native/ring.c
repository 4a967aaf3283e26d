/*
 * Writing a burst by one system call, where the kernel offers io_uring.
 *
 * What a device takes is delivered before its write returns, and the receiver is woken. Between
 * two calls of write(2) the scheduler may run the receiver at once, frame by frame. With one
 * call the receiver finds the whole burst. The writes are made in their order, while the call
 * lasts: RWF_NOWAIT leaves none of them to a poll or to a thread of the kernel, and no request is
 * under way when ring_write returns. Where the kernel refuses the ring (io_uring_disabled, a
 * system call filter) or the driver such a write (TUN and TAP before Linux 6.4), burst.c writes
 * frame by frame.
 */
#include "native.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* One mapping for both rings; no completion is ever dropped; IORING_OP_WRITE exists. */
#define FEATURES_NEEDED (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS)

struct ring {
	int fd;
	void *memory;
	size_t memory_size;
	struct io_uring_sqe *requests;
	size_t requests_size;
	uint32_t *submit_tail;
	uint32_t submit_mask;
	uint32_t *complete_head;
	uint32_t *complete_tail;
	uint32_t complete_mask;
	struct io_uring_cqe *completions;
};

static bool map(struct ring *ring, const struct io_uring_params *params)
{
	size_t submit = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	size_t complete = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	size_t requests = params->sq_entries * sizeof(struct io_uring_sqe);
	void *memory;

	ring->memory_size = submit > complete ? submit : complete;
	memory = mmap(NULL, ring->memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      ring->fd, IORING_OFF_SQ_RING);
	if (memory == MAP_FAILED)
		return false;
	ring->memory = memory;
	memory = mmap(NULL, requests, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
		      IORING_OFF_SQES);
	if (memory == MAP_FAILED)
		return false;
	ring->requests = memory;
	ring->requests_size = requests;
	return true;
}

static uint32_t *word_at(const struct ring *ring, uint32_t offset)
{
	return (uint32_t *)((uint8_t *)ring->memory + offset);
}

struct ring *ring_open(void)
{
	struct io_uring_params params = { 0 };
	struct ring *ring = calloc(1, sizeof(*ring));

	if (ring == NULL)
		return NULL;
	ring->fd = (int)syscall(__NR_io_uring_setup, BURST_MAX, &params);
	if (ring->fd < 0 || (params.features & FEATURES_NEEDED) != FEATURES_NEEDED ||
	    !map(ring, &params)) {
		ring_close(ring);
		return NULL;
	}
	ring->submit_tail = word_at(ring, params.sq_off.tail);
	ring->submit_mask = *word_at(ring, params.sq_off.ring_mask);
	ring->complete_head = word_at(ring, params.cq_off.head);
	ring->complete_tail = word_at(ring, params.cq_off.tail);
	ring->complete_mask = *word_at(ring, params.cq_off.ring_mask);
	ring->completions = (struct io_uring_cqe *)word_at(ring, params.cq_off.cqes);
	for (uint32_t i = 0; i < params.sq_entries; i++)
		word_at(ring, params.sq_off.array)[i] = i;
	return ring;
}

void ring_close(struct ring *ring)
{
	if (ring == NULL)
		return;
	if (ring->memory != NULL)
		must(munmap(ring->memory, ring->memory_size));
	if (ring->requests != NULL)
		must(munmap(ring->requests, ring->requests_size));
	if (ring->fd >= 0)
		close_own(ring->fd);
	free(ring);
}

static void put(struct ring *ring, int fd, const struct ring_frame *frames, uint32_t count)
{
	uint32_t tail = *ring->submit_tail;

	for (uint32_t i = 0; i < count; i++) {
		struct io_uring_sqe *request = &ring->requests[(tail + i) & ring->submit_mask];

		memset(request, 0, sizeof(*request));
		request->opcode = IORING_OP_WRITE;
		request->fd = fd;
		request->off = (uint64_t)-1;
		request->rw_flags = RWF_NOWAIT;
		request->addr = (uint64_t)(uintptr_t)frames[i].data;
		request->len = frames[i].length;
		request->user_data = i;
	}
	__atomic_store_n(ring->submit_tail, tail + count, __ATOMIC_RELEASE);
}

/* Takes the completions that are there; returns how many. */
static uint32_t take(struct ring *ring, struct ring_frame *frames)
{
	uint32_t head = *ring->complete_head;
	uint32_t tail = __atomic_load_n(ring->complete_tail, __ATOMIC_ACQUIRE);
	uint32_t count = tail - head;

	for (; head != tail; head++) {
		const struct io_uring_cqe *completion =
			&ring->completions[head & ring->complete_mask];

		frames[completion->user_data].result = completion->res;
	}
	__atomic_store_n(ring->complete_head, tail, __ATOMIC_RELEASE);
	return count;
}

uint32_t ring_write(struct ring *ring, int fd, struct ring_frame *frames, uint32_t count)
{
	uint32_t asked = count < BURST_MAX ? count : BURST_MAX;
	uint32_t submitted = 0, completed = 0;

	put(ring, fd, frames, asked);
	/* Ends within BURST_MAX rounds beside those that a signal interrupts: a round that succeeds
	 * submits one request or more, and an error leaves no more to submit. What is submitted
	 * completes within its round, because RWF_NOWAIT lets no request wait. */
	while (completed < asked) {
		long taken = syscall(__NR_io_uring_enter, ring->fd, asked - submitted,
				     asked - completed, IORING_ENTER_GETEVENTS, NULL, 0);
		if (taken > 0)
			submitted += (uint32_t)taken;
		completed += take(ring, frames);
		if (taken < 0 && errno != EINTR && submitted < asked) {
			/* The kernel has no room for the rest: they were never asked for. */
			uint32_t tail = *ring->submit_tail - (asked - submitted);

			__atomic_store_n(ring->submit_tail, tail, __ATOMIC_RELEASE);
			asked = submitted;
		}
	}
	return asked;
}
