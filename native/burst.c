/*
 * Bursts of frames between a descriptor and slots of a slab that JavaScript owns.
 *
 * A burst handle binds four views once: the slab, and per position of the burst a slot number,
 * a length and a status. A call then costs one crossing whatever the number of frames, and
 * allocates nothing. The typed arrays are kept alive by the handle; none of their buffers may
 * be transferred away (a SharedArrayBuffer cannot be).
 */
#include "native.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Typed arrays that a burst keeps alive. */
#define MEMORY_COUNT 4

struct burst {
	struct handle head;
	struct bytes slab;
	struct words slots;   /* slot number of each position */
	struct words lengths; /* whole length (vnet header included) of each position */
	struct words status;  /* of each written position: 0, or a positive errno */
	size_t slot_length;
	napi_ref memory[MEMORY_COUNT];
};

static void burst_finalize(napi_env env, void *data, void *hint)
{
	struct burst *burst = data;

	(void)hint;
	for (size_t i = 0; i < MEMORY_COUNT; i++) {
		if (burst->memory[i] != NULL)
			check_status(env, napi_delete_reference(env, burst->memory[i]));
	}
	burst->head.kind = 0;
	free(burst);
}

/* (slab, slots, lengths, status, slotLength) -> handle */
static napi_value burst_create(napi_env env, napi_callback_info info)
{
	napi_value values[MEMORY_COUNT + 1], external = NULL;
	struct burst *burst = calloc(1, sizeof(*burst));
	uint32_t slot_length;

	if (burst == NULL)
		return throw_errno(env, ENOMEM, "calloc");
	burst->head.kind = HANDLE_BURST;
	if (!take_arguments(env, info, MEMORY_COUNT + 1, values) ||
	    !take_bytes(env, values[0], "slab", &burst->slab) ||
	    !take_words(env, values[1], "slots", &burst->slots) ||
	    !take_words(env, values[2], "lengths", &burst->lengths) ||
	    !take_words(env, values[3], "status", &burst->status) ||
	    !take_uint32(env, values[4], "slotLength", &slot_length))
		goto fail;
	if (slot_length == 0 || slot_length > burst->slab.length || slot_length > INT32_MAX) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "slotLength: beyond the slab");
		goto fail;
	}
	burst->slot_length = slot_length;
	for (size_t i = 0; i < MEMORY_COUNT; i++) {
		if (!check_status(env, napi_create_reference(env, values[i], 1, &burst->memory[i])))
			goto fail;
	}
	if (check_status(env, napi_create_external(env, burst, burst_finalize, NULL, &external)))
		return external;
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
	    end > call->burst->status.length) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "burst: beyond its positions");
		return false;
	}
	return true;
}

/* The slot of a position, or NULL with a RangeError: a wrong slot number is the caller's bug. */
static uint8_t *slot_at(napi_env env, const struct burst *burst, uint32_t position)
{
	int32_t slot = burst->slots.data[position];

	if (slot < 0 || (uint64_t)slot + 1 > burst->slab.length / burst->slot_length) {
		napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "burst: slot outside the slab");
		return NULL;
	}
	return burst->slab.data + (size_t)slot * burst->slot_length;
}

/* -> frames read, 0 if there was none, or -errno if the first read failed. A later failure is
 * found by the next call. */
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
		if (length < 0 && errno != EAGAIN && done == 0)
			return give_int32(env, -errno);
		if (length <= 0)
			break;
		call.burst->lengths.data[position] = (int32_t)length;
		done++;
	}
	return give_int32(env, (int32_t)done);
}

/* -> frames consumed, each with its status: 0, or the errno for which the device refused it.
 * One frame's error never stops the burst; only EAGAIN does, and leaves the status of the rest
 * as it was. A device takes a frame whole, so a short write is reported as EIO. */
static napi_value write_burst(napi_env env, napi_callback_info info)
{
	struct burst_call call;
	uint32_t done = 0;

	if (!take_call(env, info, &call))
		return NULL;
	while (done < call.count) {
		uint32_t position = call.from + done;
		int32_t length = call.burst->lengths.data[position];
		const uint8_t *slot = slot_at(env, call.burst, position);

		if (slot == NULL)
			return NULL;
		if (length < 0 || (size_t)length > call.burst->slot_length) {
			napi_throw_range_error(env, "ERR_OUT_OF_RANGE",
					       "burst: length does not fit the slot");
			return NULL;
		}
		ssize_t written = write(call.fd, slot, (size_t)length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			break;
		int error = written < 0 ? errno : EIO;
		call.burst->status.data[position] = written == length ? 0 : error;
		done++;
	}
	return give_int32(env, (int32_t)done);
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
