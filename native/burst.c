/*
 * Bursts of frames between a descriptor and slots of a slab that JavaScript owns.
 *
 * A burst handle binds four views once: the slab, and per position of the burst a slot number,
 * a length and a status. A call then costs one crossing whatever the number of frames, and
 * allocates nothing; several frames are written by one system call where ring.c can. The typed
 * arrays are kept alive by the handle; none of their buffers may be transferred away (a
 * SharedArrayBuffer cannot be).
 */
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Typed arrays that a burst keeps alive. */
#define MEMORY_COUNT 4

struct burst {
	struct bytes slab;
	struct words slots;   /* slot number of each position */
	struct words lengths; /* whole length (vnet header included) of each position */
	struct words status;  /* of each written position, and of the read that ended a burst: 0, or
				 a positive errno */
	size_t slot_length;
	napi_ref memory[MEMORY_COUNT];
	struct ring *ring; /* opened by the first write of several frames */
	bool is_ring_tried;
};

static void burst_finalize(napi_env env, void *data, void *hint)
{
	struct burst *burst = data;

	(void)hint;
	for (size_t i = 0; i < MEMORY_COUNT; i++) {
		if (burst->memory[i] != NULL)
			must(napi_delete_reference(env, burst->memory[i]));
	}
	ring_close(burst->ring);
	free(burst);
}

/* (slab, slots, lengths, status, slotLength) -> handle */
static napi_value burst_create(napi_env env, napi_callback_info info)
{
	napi_value values[MEMORY_COUNT + 1], handle;
	struct burst *burst = calloc(1, sizeof(*burst));
	uint32_t slot_length;
	bool owned = false;

	if (burst == NULL)
		return throw_errno(env, ENOMEM, "calloc");
	if (!take_arguments(env, info, MEMORY_COUNT + 1, values) ||
	    !take_bytes(env, values[0], "slab", &burst->slab) ||
	    !take_words(env, values[1], "slots", &burst->slots) ||
	    !take_words(env, values[2], "lengths", &burst->lengths) ||
	    !take_words(env, values[3], "status", &burst->status) ||
	    !take_uint32(env, values[4], "slotLength", &slot_length))
		goto fail;
	if (slot_length == 0 || slot_length > burst->slab.length || slot_length > INT32_MAX) {
		refuse_range(env, "slotLength: beyond the slab");
		goto fail;
	}
	burst->slot_length = slot_length;
	for (size_t i = 0; i < MEMORY_COUNT; i++) {
		if (!check_status(env, napi_create_reference(env, values[i], 1, &burst->memory[i])))
			goto fail;
	}
	handle = give_handle(env, HANDLE_BURST, burst, burst_finalize, &owned);
	if (handle != NULL || owned)
		return handle;
fail:
	burst_finalize(env, burst, NULL);
	return NULL;
}

struct burst_call {
	struct burst *burst;
	int32_t fd;
	uint32_t from;
	uint32_t count;
};

/* (handle, fd, from, count): the positions of this call, checked against the arrays. */
static bool take_call(napi_env env, napi_callback_info info, struct burst_call *call)
{
	napi_value values[4];

	if (!take_arguments(env, info, 4, values) ||
	    !take_handle(env, values[0], HANDLE_BURST, (void **)&call->burst) ||
	    !take_int32(env, values[1], "fd", &call->fd) ||
	    !take_uint32(env, values[2], "from", &call->from) ||
	    !take_uint32(env, values[3], "count", &call->count))
		return false;
	uint64_t end = (uint64_t)call->from + call->count;
	if (end > call->burst->slots.length || end > call->burst->lengths.length ||
	    end > call->burst->status.length)
		return refuse_range(env, "burst: beyond its positions");
	return true;
}

/* The slot of a position, or NULL with a RangeError: a wrong slot number is the caller's bug. */
static uint8_t *slot_at(napi_env env, const struct burst *burst, uint32_t position)
{
	int32_t slot = burst->slots.data[position];

	if (slot < 0 || (uint64_t)slot + 1 > burst->slab.length / burst->slot_length) {
		refuse_range(env, "burst: slot outside the slab");
		return NULL;
	}
	return burst->slab.data + (size_t)slot * burst->slot_length;
}

/* -> frames read, 0 if there was none, or -errno if the first read failed. Where fewer came than
 * were asked for, the status of the next position is the errno with which its read failed, 0 if
 * nothing waited: a device has freed the frame that it could not give, and fails once for it. */
static napi_value read_burst(napi_env env, napi_callback_info info)
{
	struct burst_call call;
	uint32_t done = 0;

	if (!take_call(env, info, &call))
		return NULL;
	while (done < call.count) {
		uint32_t position = call.from + done;
		uint8_t *slot = slot_at(env, call.burst, position);

		if (slot == NULL)
			return NULL;
		ssize_t length = read(call.fd, slot, call.burst->slot_length);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0) {
			int error = length < 0 && errno != EAGAIN ? errno : 0;

			if (error != 0 && done == 0)
				return give_int32(env, -error);
			call.burst->status.data[position] = error;
			break;
		}
		call.burst->lengths.data[position] = (int32_t)length;
		done++;
	}
	return give_int32(env, (int32_t)done);
}

/* The frame of a position, or false with a RangeError. */
static bool frame_at(napi_env env, const struct burst *burst, uint32_t position,
		     struct ring_frame *frame)
{
	int32_t length = burst->lengths.data[position];

	frame->data = slot_at(env, burst, position);
	if (frame->data == NULL)
		return false;
	if (length < 0 || (size_t)length > burst->slot_length)
		return refuse_range(env, "burst: length does not fit the slot");
	frame->length = (uint32_t)length;
	return true;
}

/* The ring for `count` frames, NULL if one call for each is as good or all there is. */
static struct ring *ring_for(struct burst *burst, uint32_t count)
{
	if (count < 2)
		return NULL;
	if (!burst->is_ring_tried) {
		burst->is_ring_tried = true;
		burst->ring = ring_open();
	}
	return burst->ring;
}

static void write_one(int fd, struct ring_frame *frame)
{
	ssize_t written;

	do {
		written = write(fd, frame->data, frame->length);
	} while (written < 0 && errno == EINTR);
	frame->result = written < 0 ? -errno : (int32_t)written;
}

/* Writes frames in their order, each with its result. */
static void write_frames(struct burst *burst, int fd, struct ring_frame *frames, uint32_t count)
{
	struct ring *ring = ring_for(burst, count);
	uint32_t tried = ring == NULL ? 0 : ring_write(ring, fd, frames, count);
	uint32_t refused = 0;

	for (uint32_t i = 0; i < count; i++) {
		bool is_refused = i < tried && frames[i].result == -EOPNOTSUPP;

		if (is_refused)
			refused++;
		if (is_refused || i >= tried)
			write_one(fd, &frames[i]);
	}
	/* A driver without RWF_NOWAIT (before Linux 6.4) does not gain it while it runs. */
	if (refused > 0 && refused == tried) {
		ring_close(ring);
		burst->ring = NULL;
	}
}

/* Every position gets its status: 0, or the errno for which the device refused the frame. One
 * frame's error never stops the others. A device takes a frame whole, so a short write is reported
 * as EIO. */
static napi_value write_burst(napi_env env, napi_callback_info info)
{
	struct ring_frame frames[BURST_MAX];
	struct burst_call call;

	if (!take_call(env, info, &call))
		return NULL;
	while (call.count > 0) {
		uint32_t count = call.count < BURST_MAX ? call.count : BURST_MAX;

		for (uint32_t i = 0; i < count; i++) {
			if (!frame_at(env, call.burst, call.from + i, &frames[i]))
				return NULL;
		}
		write_frames(call.burst, call.fd, frames, count);
		for (uint32_t i = 0; i < count; i++) {
			int32_t result = frames[i].result;
			int32_t error = result < 0 ? -result : EIO;

			call.burst->status.data[call.from + i] =
				result == (int32_t)frames[i].length ? 0 : error;
		}
		call.from += count;
		call.count -= count;
	}
	return give_undefined(env);
}

static const struct function functions[] = {
	{ "burstCreate", burst_create },
	{ "readBurst", read_burst },
	{ "writeBurst", write_burst },
};

bool burst_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
