/*
 * The priority of the datapath's threads: the workers and both threads of the carrier watch.
 *
 * A worker that wakes on a full machine waits until the scheduler's turn reaches it, and each frame
 * that arrives meanwhile waits too. A lower nice value gives it an earlier turn. These threads run
 * for microseconds at a time; the event loop runs for milliseconds and keeps the priority of the
 * process, so that it cannot take their place.
 *
 * Raising is allowed with CAP_SYS_NICE or RLIMIT_NICE. Without them the thread runs as the process
 * was started: no error. A priority that is higher already (Nice= of the unit) stays.
 */
#include "native.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

/* TASK_COMM_LEN of linux/sched.h: a thread's name with its end. */
#define NAME_LENGTH 16

int priority_raise(int *nice)
{
	/* 0: the calling thread; on Linux a nice value belongs to a thread. */
	errno = 0;
	*nice = getpriority(PRIO_PROCESS, 0);
	if (errno != 0)
		return errno;
	if (*nice <= DATAPATH_NICE)
		return 0;
	if (setpriority(PRIO_PROCESS, 0, DATAPATH_NICE) < 0)
		return errno == EPERM || errno == EACCES ? 0 : errno;
	*nice = DATAPATH_NICE;
	return 0;
}

/* (name): makes the calling thread one of the datapath; returns its nice value. */
static napi_value thread_raise(napi_env env, napi_callback_info info)
{
	char name[NAME_LENGTH];
	napi_value values[1];
	int nice, error;

	if (!take_arguments(env, info, 1, values) ||
	    !take_string(env, values[0], "name", name, sizeof(name)))
		return NULL;
	error = pthread_setname_np(pthread_self(), name);
	if (error != 0)
		return throw_errno(env, error, "pthread_setname_np");
	error = priority_raise(&nice);
	if (error != 0)
		return throw_errno(env, error, "setpriority");
	return give_int32(env, nice);
}

static const struct function functions[] = {
	{ "threadRaise", thread_raise },
};

bool priority_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
