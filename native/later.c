/*
 * Calls that may wait, made on threads of their own.
 *
 *   JavaScript ── call_later ──> queue of the lane ──> thread: call_run ──> done list
 *        ^                                                                      │
 *        └── Promise settled <── event loop <── thread-safe function <──────────┘
 *
 * Each lane has its own queue and its own threads, so that a call of one never waits behind a
 * call of the other. A lane starts a thread whenever a call finds all of them busy, up to
 * LANE_THREADS_MAX; so a driver that never answers costs one thread and delays no other call. A
 * thread that finds nothing to do for IDLE_SECONDS ends.
 *
 * The order: calls of one lane begin in the order in which they were asked for, but run beside
 * each other. A caller that needs one after the other waits for the first.
 *
 * Life: the pool belongs to one environment (a JavaScript thread) and is made by its first call.
 * Threads are detached, since one that waits for a driver could never be joined; each owns a
 * reference to the pool, and the last owner frees it. When the environment ends, `closed` is set
 * under the lock: from then on nothing reaches JavaScript, and results are thrown away.
 */
#include "operation.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Ours: more drivers hang at once than any machine has survived; each costs a thread. */
#define LANE_THREADS_MAX 64

/* Ours: a start or a stop comes in bursts of calls some milliseconds apart. */
#define IDLE_SECONDS 5

/* Ours: the calls need little; the C library's own minimum is 16 KiB. */
#define STACK_LENGTH (256 * 1024)

struct lane_state {
	struct pool *pool;
	struct call *first, **last;
	unsigned int threads, idle;
	pthread_cond_t queued;
};

struct pool {
	napi_env env;
	napi_threadsafe_function settle;
	pthread_mutex_t lock; /* of everything below */
	unsigned int owners;  /* the environment and each thread */
	unsigned int pending; /* calls whose Promise is not settled: they keep the process alive */
	bool closed;
	bool abandoned; /* calls under way no longer keep the process alive */
	bool settling; /* the event loop has been called and has not yet come */
	struct call *done, **done_last;
	struct lane_state lanes[LANE_COUNT];
};

/* With the lock held; unlocks it. */
static void pool_release(struct pool *pool)
{
	bool last = --pool->owners == 0;

	must(pthread_mutex_unlock(&pool->lock));
	if (!last)
		return;
	for (size_t i = 0; i < LANE_COUNT; i++)
		must(pthread_cond_destroy(&pool->lanes[i].queued));
	must(pthread_mutex_destroy(&pool->lock));
	free(pool);
}

/* Waits for a call; NULL after IDLE_SECONDS without one, or when the pool is closed. */
static struct call *lane_next(struct lane_state *lane)
{
	struct timespec until;

	must(clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec += IDLE_SECONDS;
	while (lane->first == NULL && !lane->pool->closed) {
		int error;

		lane->idle++;
		error = pthread_cond_timedwait(&lane->queued, &lane->pool->lock, &until);
		lane->idle--;
		if (error == ETIMEDOUT)
			break;
	}
	struct call *call = lane->first;
	if (call == NULL)
		return NULL;
	lane->first = call->next;
	if (lane->first == NULL)
		lane->last = &lane->first;
	call->next = NULL;
	return call;
}

/* With the lock held: hands a finished call to the event loop. */
static void pool_settle(struct pool *pool, struct call *call)
{
	if (pool->closed) {
		call_free(call);
		return;
	}
	*pool->done_last = call;
	pool->done_last = &call->next;
	if (pool->settling)
		return;
	pool->settling = true;
	/* The function is released only after `closed` is set, and its queue has no limit. */
	must(napi_call_threadsafe_function(pool->settle, NULL, napi_tsfn_nonblocking));
}

static void *run_lane(void *data)
{
	struct lane_state *lane = data;
	struct pool *pool = lane->pool;
	struct call *call;

	must(pthread_mutex_lock(&pool->lock));
	while ((call = lane_next(lane)) != NULL) {
		must(pthread_mutex_unlock(&pool->lock));
		call_run(call);
		must(pthread_mutex_lock(&pool->lock));
		pool_settle(pool, call);
	}
	lane->threads--;
	pool_release(pool);
	return NULL;
}

/* With the lock held: a thread more for the lane; an errno if there is none at all. */
static int lane_grow(struct lane_state *lane)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	must(pthread_attr_init(&attributes));
	must(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
	must(pthread_attr_setstacksize(&attributes, STACK_LENGTH));
	/* Signals belong to the thread that runs the event loop. */
	must(sigfillset(&all));
	must(pthread_sigmask(SIG_SETMASK, &all, &before));
	error = pthread_create(&thread, &attributes, run_lane, lane);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL));
	must(pthread_attr_destroy(&attributes));
	if (error == 0) {
		/* A name is for people: without /proc there is none. */
		(void)pthread_setname_np(thread, "ipmpd-later");
		lane->threads++;
		lane->pool->owners++;
		return 0;
	}
	return lane->threads > 0 ? 0 : error;
}

/* On the event loop: settles one Promise. */
static void settle_one(napi_env env, struct call *call)
{
	napi_value result = call_result(env, call), error = NULL;
	napi_status status;

	if (result != NULL) {
		status = napi_resolve_deferred(env, call->deferred, result);
	} else if (napi_get_and_clear_last_exception(env, &error) == napi_ok) {
		status = napi_reject_deferred(env, call->deferred, error);
	} else {
		return; /* the environment is ending and runs no JavaScript any more */
	}
	report_exception(env, status);
}

/* On the event loop: settles everything that is done. */
static void settle_all(napi_env env, napi_value function, void *context, void *data)
{
	struct pool *pool = context;
	struct call *call, *next;
	unsigned int count = 0;

	(void)function;
	(void)data;
	/* At the end of the environment, when the pool may be gone. */
	if (env == NULL)
		return;
	must(pthread_mutex_lock(&pool->lock));
	pool->settling = false;
	call = pool->done;
	pool->done = NULL;
	pool->done_last = &pool->done;
	must(pthread_mutex_unlock(&pool->lock));
	for (; call != NULL; call = next) {
		next = call->next;
		settle_one(env, call);
		call_free(call);
		count++;
	}
	must(pthread_mutex_lock(&pool->lock));
	pool->pending -= count;
	bool quiet = pool->pending == 0 && !pool->closed;
	must(pthread_mutex_unlock(&pool->lock));
	if (quiet)
		must(napi_unref_threadsafe_function(env, pool->settle));
}

static void calls_free(struct call *call)
{
	struct call *next;

	for (; call != NULL; call = next) {
		next = call->next;
		call_free(call);
	}
}

/* Runs before the thread-safe function is torn down, because it was registered after it. */
static void environment_ends(void *data)
{
	struct pool *pool = data;

	must(pthread_mutex_lock(&pool->lock));
	pool->closed = true;
	calls_free(pool->done);
	pool->done = NULL;
	pool->done_last = &pool->done;
	for (size_t i = 0; i < LANE_COUNT; i++) {
		struct lane_state *lane = &pool->lanes[i];

		calls_free(lane->first);
		lane->first = NULL;
		lane->last = &lane->first;
		must(pthread_cond_broadcast(&lane->queued));
	}
	must(pthread_mutex_unlock(&pool->lock));
	must(napi_release_threadsafe_function(pool->settle, napi_tsfn_abort));
}

/* The thread-safe function is gone: the environment owns the pool no longer. */
static void settle_finalize(napi_env env, void *data, void *hint)
{
	struct pool *pool = data;

	(void)env;
	(void)hint;
	must(pthread_mutex_lock(&pool->lock));
	pool_release(pool);
}

static struct pool *pool_allocate(napi_env env)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attributes;

	if (pool == NULL) {
		throw_errno(env, ENOMEM, "calloc");
		return NULL;
	}
	pool->env = env;
	pool->owners = 1;
	pool->done_last = &pool->done;
	/* With default attributes, and this clock, these cannot fail on Linux. */
	must(pthread_mutex_init(&pool->lock, NULL));
	must(pthread_condattr_init(&attributes));
	must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
	for (size_t i = 0; i < LANE_COUNT; i++) {
		pool->lanes[i].pool = pool;
		pool->lanes[i].last = &pool->lanes[i].first;
		must(pthread_cond_init(&pool->lanes[i].queued, &attributes));
	}
	must(pthread_condattr_destroy(&attributes));
	return pool;
}

/* The pool of this environment, made when it is asked for first; NULL leaves an exception. */
static struct pool *pool_of(napi_env env)
{
	void *data = NULL;

	if (!check_status(env, napi_get_instance_data(env, &data)))
		return NULL;
	if (data != NULL)
		return data;
	struct pool *pool = pool_allocate(env);
	if (pool == NULL)
		return NULL;
	napi_value name = give_string(env, "ipmpd:later");
	if (name == NULL ||
	    !check_status(env, napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, pool,
							       settle_finalize, pool, settle_all,
							       &pool->settle))) {
		must(pthread_mutex_lock(&pool->lock));
		pool_release(pool);
		return NULL;
	}
	if (!check_status(env, napi_unref_threadsafe_function(env, pool->settle)) ||
	    !check_status(env, napi_add_env_cleanup_hook(env, environment_ends, pool)) ||
	    !check_status(env, napi_set_instance_data(env, pool, NULL, NULL)))
		return NULL;
	return pool;
}

/* Queues a call; an errno if no thread will ever take it. */
static int pool_add(struct pool *pool, struct call *call)
{
	struct lane_state *lane = &pool->lanes[call->operation->lane];
	int error = 0;

	must(pthread_mutex_lock(&pool->lock));
	*lane->last = call;
	lane->last = &call->next;
	unsigned int waiting = 0;
	for (struct call *one = lane->first; one != NULL && waiting <= lane->idle; one = one->next)
		waiting++;
	if (waiting > lane->idle && lane->threads < LANE_THREADS_MAX)
		error = lane_grow(lane);
	if (error == 0) {
		pool->pending++;
		must(pthread_cond_signal(&lane->queued));
	} else {
		/* Without a thread nothing else can be queued before it. */
		lane->first = NULL;
		lane->last = &lane->first;
	}
	must(pthread_mutex_unlock(&pool->lock));
	return error;
}

napi_value call_later(napi_env env, napi_callback_info info)
{
	void *operation = NULL;
	napi_value promise = NULL;

	if (!check_status(env, napi_get_cb_info(env, info, NULL, NULL, NULL, &operation)))
		return NULL;
	struct pool *pool = pool_of(env);
	if (pool == NULL)
		return NULL;
	struct call *call = call_take(env, info, operation);
	if (call == NULL)
		return NULL;
	if (!check_status(env, napi_create_promise(env, &call->deferred, &promise))) {
		call_free(call);
		return NULL;
	}
	napi_deferred deferred = call->deferred;
	int error = pool_add(pool, call);
	if (error != 0) {
		napi_value reason = NULL;

		call_free(call);
		throw_errno(env, error, "pthread_create");
		if (napi_get_and_clear_last_exception(env, &reason) != napi_ok)
			return NULL;
		if (!check_status(env, napi_reject_deferred(env, deferred, reason)))
			return NULL;
		return promise;
	}
	if (pool->abandoned)
		return promise;
	return check_status(env, napi_ref_threadsafe_function(env, pool->settle)) ? promise : NULL;
}

/* (): from now on no call under way keeps the process alive. */
static napi_value later_abandon(napi_env env, napi_callback_info info)
{
	struct pool *pool = pool_of(env);

	(void)info;
	if (pool == NULL)
		return NULL;
	pool->abandoned = true; /* read on this thread alone */
	if (!check_status(env, napi_unref_threadsafe_function(env, pool->settle)))
		return NULL;
	return give_undefined(env);
}

static const struct function functions[] = {
	{ "laterAbandon", later_abandon },
};

bool later_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
