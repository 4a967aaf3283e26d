/*
 * The addon moves bytes between descriptors and memory that JavaScript owns; it does not read
 * packets. This header is all that its files share: how arguments are taken, how errors are
 * reported, and the one registration function per file.
 *
 * Rules: every status is checked, or dropped by a function whose name and comment say why that is
 * right (must, close_own); a function that returns false or NULL has left a JavaScript exception
 * pending; nothing is global, so the addon may be loaded by any number of threads. A loop has a
 * limit in its condition, or a comment that says why it ends; one that repeats a call after EINTR
 * ends with the signals.
 */
#ifndef IPMPD_NATIVE_H
#define IPMPD_NATIVE_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raised whenever the exports change; src/native/addon.ts compares it. */
#define IPMPD_NATIVE_ABI 4

/* struct virtio_net_hdr as TUN/TAP and macvtap put it before each frame (legacy layout). */
#define VNET_HEADER_LENGTH 10

/* The largest frame a device can hand over: IFF_VNET_HDR header, Ethernet header, 64 KiB. */
#define FRAME_LENGTH_MAX (VNET_HEADER_LENGTH + 14 + 65536)

/* One byte more than the largest frame, so that a read that fills a slot was truncated; rounded
 * up to whole cache lines. */
#define SLOT_LENGTH ((FRAME_LENGTH_MAX + 1 + 63) / 64 * 64)

/* The nice value of the datapath's threads; docs/performance.md has what others gave. */
#define DATAPATH_NICE (-10)

/* A view of memory owned by JavaScript; valid while the typed array it came from is alive. */
struct bytes {
	uint8_t *data;
	size_t length;
};

struct words {
	int32_t *data;
	size_t length;
};

/* Frames that are handed to the kernel at once; a worker's burst is no longer than that, and a
 * longer one takes several turns. src/datapath/slab.ts has what others gave. */
#define BURST_MAX 64

/* What a handle is. The tag of its external carries it, so that one of another kind or of another
 * addon is refused before anything is read through it. */
enum handle_kind {
	HANDLE_BURST,
	HANDLE_NETLINK,
	HANDLE_CARRIER,
};

/* For calls that fail only if we made a mistake: a lock that is not one, a reference that was given
 * back before. Ends the process then, as a broken invariant does. 0 is the success of N-API
 * (napi_ok), of libuv and of the C library's thread functions. */
void must(int status);

/* Closes a descriptor that the addon opened for itself. Linux frees it whatever close reports, and
 * none of them has data that a failed close would lose. */
void close_own(int fd);

/* arguments.c */
/* Throws a TypeError that names the argument and what it should be; returns false. */
bool refuse_argument(napi_env env, const char *what, const char *expected);
/* Throws a RangeError; returns false. */
bool refuse_range(napi_env env, const char *message);
bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);
bool take_int32(napi_env env, napi_value value, const char *what, int32_t *out);
bool take_uint32(napi_env env, napi_value value, const char *what, uint32_t *out);
bool take_bool(napi_env env, napi_value value, const char *what, bool *out);
bool take_string(napi_env env, napi_value value, const char *what, char *out, size_t size);
bool take_bytes(napi_env env, napi_value value, const char *what, struct bytes *out);
bool take_words(napi_env env, napi_value value, const char *what, struct words *out);
bool take_function(napi_env env, napi_value value, const char *what);
bool take_handle(napi_env env, napi_value value, enum handle_kind kind, void **out);

/* Gives `data` to JavaScript as a handle. `finalize` frees it once the handle is lost; after NULL,
 * which leaves an exception, `*owned` says whether that will still happen. */
napi_value give_handle(napi_env env, enum handle_kind kind, void *data, napi_finalize finalize,
		       bool *owned);
napi_value give_int32(napi_env env, int32_t value);
napi_value give_double(napi_env env, double value);
napi_value give_bool(napi_env env, bool value);
napi_value give_string(napi_env env, const char *value);
napi_value give_undefined(napi_env env);
bool set_property(napi_env env, napi_value object, const char *name, napi_value value);

/* Throws what a failed N-API call reports, unless an exception is pending already. */
bool check_status(napi_env env, napi_status status);

/* After a call into JavaScript from the event loop: an exception becomes an uncaught one. */
void report_exception(napi_env env, napi_status status);

/* errno.c: throws Error with code ('EBUSY'), errno (positive) and syscall. Returns NULL. */
napi_value throw_errno(napi_env env, int error, const char *syscall);
const char *errno_name(int error);
/* An object NAME -> number of every errno in the table. */
napi_value errno_numbers(napi_env env);

/* ring.c: several writes by one system call. NULL: the kernel does not offer it. */
struct ring;
struct ring_frame {
	const uint8_t *data;
	uint32_t length;
	int32_t result; /* octets taken, or -errno */
};
struct ring *ring_open(void);
void ring_close(struct ring *ring);
/* Writes frames to `fd`, in their order; returns how many were tried, from the first on. 0: the
 * kernel cannot now. */
uint32_t ring_write(struct ring *ring, int fd, struct ring_frame *frames, uint32_t count);

/* priority.c: raises the calling thread to DATAPATH_NICE if that is allowed. Returns 0 and its nice
 * value, or an errno. */
int priority_raise(int *nice);

struct function {
	const char *name;
	napi_callback callback;
};

bool register_functions(napi_env env, napi_value exports, const struct function *functions,
			size_t count);
#define REGISTER(env, exports, table) \
	register_functions(env, exports, table, sizeof(table) / sizeof((table)[0]))

bool device_register(napi_env env, napi_value exports);
bool later_register(napi_env env, napi_value exports);
bool file_register(napi_env env, napi_value exports);
bool request_register(napi_env env, napi_value exports);
bool burst_register(napi_env env, napi_value exports);
bool wait_register(napi_env env, napi_value exports);
bool netlink_register(napi_env env, napi_value exports);
bool peer_register(napi_env env, napi_value exports);
bool notify_register(napi_env env, napi_value exports);
bool lock_register(napi_env env, napi_value exports);
bool carrier_register(napi_env env, napi_value exports);
bool priority_register(napi_env env, napi_value exports);

#endif
