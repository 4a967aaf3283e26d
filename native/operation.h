/*
 * Calls that may wait: for the kernel's configuration lock (rtnl), for a driver, or for a file
 * system. Each is described once, as a `struct operation`, and offered to JavaScript twice:
 *
 *   name(...)         made at once, on the calling thread, which it may block for seconds
 *   later.name(...)   made on a thread of its own; the result is a Promise (later.c)
 *
 * An operation takes its arguments out of JavaScript into a `struct call`, runs without touching
 * JavaScript, and leaves its result there.
 */
#ifndef IPMPD_OPERATION_H
#define IPMPD_OPERATION_H

#include "native.h"

#include <linux/if.h>
#include <sys/stat.h>

/* Two queues, so that a question about counters never waits behind a change of the host. */
enum lane {
	LANE_CHANGE,
	LANE_READ,
	LANE_COUNT,
};

/* How an argument is taken out of JavaScript. */
enum argument {
	TAKE_NOTHING,
	TAKE_INT32,  /* into the next of call->numbers */
	TAKE_UINT32, /* likewise, with its bits kept */
	TAKE_BOOL,   /* likewise, 0 or 1 */
	TAKE_STRING, /* into the next of call->texts */
	TAKE_BYTES,  /* a copy in call->bytes */
};

/* What JavaScript is given. */
enum result {
	GIVE_NOTHING,
	GIVE_NUMBER,    /* call->value */
	GIVE_INTERFACE, /* { name, flags } of call->request */
	GIVE_NODE,      /* { isCharacter, major, minor } of call->status */
	GIVE_BYTES,     /* a Buffer with a copy of call->bytes */
	GIVE_STRING,    /* call->bytes as text, octet by octet */
};

#define NUMBERS_MAX 3
#define TEXTS_MAX 2
#define ARGUMENTS_MAX 3

struct parameter {
	const char *name;
	enum argument take;
};

struct call;

struct operation {
	const char *name;
	struct parameter parameters[ARGUMENTS_MAX];
	enum result give;
	enum lane lane;
	bool locks; /* waits for the kernel's configuration lock */
	void (*run)(struct call *call);
};

/* One call from its arguments to its result. `error` is an errno, 0 after success. */
struct call {
	struct call *next;
	const struct operation *operation;
	napi_deferred deferred;
	int32_t numbers[NUMBERS_MAX];
	char *texts[TEXTS_MAX];
	uint8_t *bytes;
	size_t length;
	struct ifreq request;
	struct stat status;
	double value;
	int error;
	const char *syscall;
};

/* Leaves the errno of a failed system call in a call. */
void call_fails(struct call *call, const char *syscall);

/* Runs a call to its end. */
void call_run(struct call *call);

/* operation.c: the result of a finished call; NULL leaves an exception. */
napi_value call_result(napi_env env, const struct call *call);
struct call *call_take(napi_env env, napi_callback_info info, const struct operation *operation);
void call_free(struct call *call);

/* Registers operations in both forms. */
bool register_operations(napi_env env, napi_value exports, const struct operation *operations,
			 size_t count);
#define REGISTER_OPERATIONS(env, exports, table) \
	register_operations(env, exports, table, sizeof(table) / sizeof((table)[0]))

/* later.c: the form that gives a Promise. */
napi_value call_later(napi_env env, napi_callback_info info);

/* gate.c: where tests hold every call that takes the kernel's configuration lock. */
void kernel_gate(void);

#endif
