/*
 * Waiting in a worker: epoll with a token per descriptor, and eventfds to end the wait.
 * Level-triggered: what a breath leaves unread is reported again. A wait may ask again and again
 * for some microseconds before it sleeps: to be woken costs more than that.
 */
#include "native.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* A worker waits for its queues of at most 512 NICs and 64 groups; more come with the next wait. */
#define EVENTS_PER_WAIT 128

static napi_value epoll_create_js(napi_env env, napi_callback_info info)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	(void)info;
	if (fd < 0)
		return throw_errno(env, errno, "epoll_create1");
	return give_int32(env, fd);
}

/* (epoll, fd, token): reports `token` while `fd` is readable or broken. */
static napi_value epoll_add(napi_env env, napi_callback_info info)
{
	napi_value values[3];
	int32_t epoll, fd, token;

	if (!take_arguments(env, info, 3, values) || !take_int32(env, values[0], "epoll", &epoll) ||
	    !take_int32(env, values[1], "fd", &fd) || !take_int32(env, values[2], "token", &token))
		return NULL;
	struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = (uint32_t)token } };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return throw_errno(env, errno, "epoll_ctl");
	return give_undefined(env);
}

/* (epoll, fd) */
static napi_value epoll_delete(napi_env env, napi_callback_info info)
{
	napi_value values[2];
	int32_t epoll, fd;

	if (!take_arguments(env, info, 2, values) || !take_int32(env, values[0], "epoll", &epoll) ||
	    !take_int32(env, values[1], "fd", &fd))
		return NULL;
	if (epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0)
		return throw_errno(env, errno, "epoll_ctl");
	return give_undefined(env);
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* As epoll_wait, but awake for the first `spin_us`. */
static int wait_awake(int epoll, struct epoll_event *events, int room, int32_t spin_us,
		      int timeout_ms)
{
	int64_t end = monotonic_ns() + spin_us * INT64_C(1000);
	int ready;

	do {
		ready = epoll_wait(epoll, events, room, 0);
	} while (ready == 0 && monotonic_ns() < end);
	return ready == 0 ? epoll_wait(epoll, events, room, timeout_ms) : ready;
}

/* (epoll, spinUs, timeoutMs, tokens) -> how many tokens were filled; 0 on time-out or signal. */
static napi_value epoll_wait_js(napi_env env, napi_callback_info info)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	napi_value values[4];
	int32_t epoll, spin_us, timeout_ms;
	struct words tokens;

	if (!take_arguments(env, info, 4, values) || !take_int32(env, values[0], "epoll", &epoll) ||
	    !take_int32(env, values[1], "spinUs", &spin_us) ||
	    !take_int32(env, values[2], "timeoutMs", &timeout_ms) ||
	    !take_words(env, values[3], "tokens", &tokens))
		return NULL;
	int room = tokens.length < EVENTS_PER_WAIT ? (int)tokens.length : EVENTS_PER_WAIT;
	int ready = spin_us > 0 && timeout_ms != 0 ?
			    wait_awake(epoll, events, room, spin_us, timeout_ms) :
			    epoll_wait(epoll, events, room, timeout_ms);
	if (ready < 0 && errno != EINTR)
		return throw_errno(env, errno, "epoll_wait");
	for (int i = 0; i < ready; i++)
		tokens.data[i] = (int32_t)events[i].data.u32;
	return give_int32(env, ready < 0 ? 0 : ready);
}

static napi_value eventfd_create(napi_env env, napi_callback_info info)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)info;
	if (fd < 0)
		return throw_errno(env, errno, "eventfd");
	return give_int32(env, fd);
}

/* (fd): makes it readable. A counter at its limit is readable already. */
static napi_value eventfd_ring(napi_env env, napi_callback_info info)
{
	const uint64_t one = 1;
	napi_value values[1];
	int32_t fd;

	if (!take_arguments(env, info, 1, values) || !take_int32(env, values[0], "fd", &fd))
		return NULL;
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return throw_errno(env, errno, "write(eventfd)");
	return give_undefined(env);
}

/* (fd) -> true if it had been rung since it was last cleared. */
static napi_value eventfd_clear(napi_env env, napi_callback_info info)
{
	napi_value values[1];
	uint64_t rings;
	int32_t fd;

	if (!take_arguments(env, info, 1, values) || !take_int32(env, values[0], "fd", &fd))
		return NULL;
	if (read(fd, &rings, sizeof(rings)) >= 0)
		return give_bool(env, true);
	if (errno != EAGAIN)
		return throw_errno(env, errno, "read(eventfd)");
	return give_bool(env, false);
}

static const struct function functions[] = {
	{ "epollCreate", epoll_create_js },  { "epollAdd", epoll_add },
	{ "epollDelete", epoll_delete },     { "epollWait", epoll_wait_js },
	{ "eventfdCreate", eventfd_create }, { "eventfdRing", eventfd_ring },
	{ "eventfdClear", eventfd_clear },
};

bool wait_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
