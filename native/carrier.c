/*
 * The carrier watch as JavaScript sees it: create, add, remove, refresh, close. The words that
 * it writes and the threads that do the work are described in carrier-threads.c.
 */
#include "carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A bridge has at most 1023 ports (BR_MAX_PORTS); any NIC watches fewer devices. */
#define DEVICES_MAX 1023

void carrier_release(struct carrier *carrier)
{
	if (__atomic_sub_fetch(&carrier->owners, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(carrier->wake_fds);
	must(pthread_cond_destroy(&carrier->watched));
	must(pthread_cond_destroy(&carrier->unverified));
	must(pthread_mutex_destroy(&carrier->lock));
	free(carrier);
}

static void environment_ends(void *data);

/* Ends the threads and lets go of everything JavaScript; main thread only. */
static void carrier_close(struct carrier *carrier)
{
	carrier_stop(carrier);
	while (carrier->wake_count > 0)
		close_own(carrier->wake_fds[--carrier->wake_count]);
	if (carrier->words_ref != NULL) {
		must(napi_delete_reference(carrier->env, carrier->words_ref));
		carrier->words_ref = NULL;
	}
	if (carrier->notify != NULL) {
		must(napi_remove_env_cleanup_hook(carrier->env, environment_ends, carrier));
		must(napi_release_threadsafe_function(carrier->notify, napi_tsfn_release));
		carrier->notify = NULL;
	}
}

/* Runs before the thread-safe function is torn down, because it was registered after it. */
static void environment_ends(void *data)
{
	carrier_close(data);
}

static void carrier_finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	carrier_close(data);
	carrier_release(data);
}

static void notify_finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	carrier_release(data);
}

/* The next NIC with a change that JavaScript has not received, or -1. */
static int32_t take_changed(struct carrier *carrier)
{
	int32_t nic = -1;

	must(pthread_mutex_lock(&carrier->lock));
	for (struct carrier_watch *watch = carrier->watches; watch != NULL && nic < 0;
	     watch = watch->next) {
		if (watch->changed) {
			watch->changed = false;
			nic = watch->nic;
		}
	}
	must(pthread_mutex_unlock(&carrier->lock));
	return nic;
}

/* On the event loop: calls onChange(nic) for each NIC that changed. The callback may remove
 * watches and close the whole, so each round looks anew. As many rounds as there can be NICs: what
 * changes meanwhile has its own notification. */
static void notify_javascript(napi_env env, napi_value on_change, void *context, void *data)
{
	struct carrier *carrier = context;

	(void)data;
	must(pthread_mutex_lock(&carrier->lock));
	carrier->notified = false;
	must(pthread_mutex_unlock(&carrier->lock));
	if (env == NULL || on_change == NULL)
		return;
	for (size_t round = 0; round < carrier->nic_limit && carrier->started; round++) {
		napi_value receiver = NULL, argument;
		int32_t nic = take_changed(carrier);

		if (nic < 0)
			break;
		argument = give_int32(env, nic);
		if (argument == NULL || !check_status(env, napi_get_global(env, &receiver)))
			break;
		napi_status status = napi_call_function(env, receiver, on_change, 1, &argument,
							NULL);
		report_exception(env, status);
	}
}

/* Duplicates the bells; false leaves an exception. */
static bool copy_wake_fds(napi_env env, struct carrier *carrier, struct words fds)
{
	carrier->wake_fds = calloc(fds.length + 1, sizeof(*carrier->wake_fds));
	if (carrier->wake_fds == NULL) {
		throw_errno(env, ENOMEM, "calloc");
		return false;
	}
	for (size_t i = 0; i < fds.length; i++) {
		int fd = fcntl(fds.data[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0) {
			throw_errno(env, errno, "fcntl(F_DUPFD_CLOEXEC)");
			return false;
		}
		carrier->wake_fds[carrier->wake_count++] = fd;
	}
	return true;
}

static struct carrier *carrier_allocate(napi_env env, struct words words)
{
	struct carrier *carrier = calloc(1, sizeof(*carrier));

	if (carrier == NULL) {
		throw_errno(env, ENOMEM, "calloc");
		return NULL;
	}
	carrier->owners = 1;
	carrier->env = env;
	carrier->words = words.data;
	carrier->nic_limit = words.length / CARRIER_WORDS_PER_NIC;
	/* With default attributes these cannot fail on Linux. */
	must(pthread_mutex_init(&carrier->lock, NULL));
	must(pthread_cond_init(&carrier->watched, NULL));
	must(pthread_cond_init(&carrier->unverified, NULL));
	return carrier;
}

/* Everything that JavaScript gives us to keep; false leaves an exception. */
static bool keep_references(napi_env env, struct carrier *carrier, napi_value words,
			    napi_value on_change)
{
	napi_value name = give_string(env, "ipmpd:carrier");

	if (name == NULL ||
	    !check_status(env, napi_create_reference(env, words, 1, &carrier->words_ref)) ||
	    !check_status(env, napi_create_threadsafe_function(
				       env, on_change, NULL, name, 0, 1, carrier,
				       notify_finalize, carrier, notify_javascript,
				       &carrier->notify)))
		return false;
	__atomic_add_fetch(&carrier->owners, 1, __ATOMIC_RELAXED);
	return check_status(env, napi_unref_threadsafe_function(env, carrier->notify)) &&
	       check_status(env, napi_add_env_cleanup_hook(env, environment_ends, carrier));
}

/* (words, wakeFds, onChange) -> handle */
static napi_value carrier_create(napi_env env, napi_callback_info info)
{
	napi_value values[3], handle;
	struct words words, wake_fds;
	struct carrier *carrier;
	bool owned = false;
	int error;

	if (!take_arguments(env, info, 3, values) ||
	    !take_words(env, values[0], "words", &words) ||
	    !take_words(env, values[1], "wakeFds", &wake_fds) ||
	    !take_function(env, values[2], "onChange"))
		return NULL;
	carrier = carrier_allocate(env, words);
	if (carrier == NULL)
		return NULL;
	if (!copy_wake_fds(env, carrier, wake_fds) ||
	    !keep_references(env, carrier, values[0], values[2]))
		goto fail;
	error = carrier_start(carrier);
	if (error != 0) {
		throw_errno(env, error, "pthread_create");
		goto fail;
	}
	handle = give_handle(env, HANDLE_CARRIER, carrier, carrier_finalize, &owned);
	if (handle != NULL || owned)
		return handle;
fail:
	carrier_close(carrier);
	carrier_release(carrier);
	return NULL;
}

/* With the lock held: where the watch of a NIC hangs, or the end of the list. */
static struct carrier_watch **watch_link(struct carrier *carrier, int32_t nic)
{
	struct carrier_watch **link = &carrier->watches;

	while (*link != NULL && (*link)->nic != nic)
		link = &(*link)->next;
	return link;
}

/* Takes handle and NIC number; a closed watch is EBADF, a NIC outside the words RangeError. */
static bool take_nic(napi_env env, napi_callback_info info, size_t count, napi_value *values,
		     struct carrier **carrier, int32_t *nic)
{
	if (!take_arguments(env, info, count, values) ||
	    !take_handle(env, values[0], HANDLE_CARRIER, (void **)carrier) ||
	    !take_int32(env, values[1], "nic", nic))
		return false;
	if (!(*carrier)->started) {
		throw_errno(env, EBADF, "carrier watch");
		return false;
	}
	if (*nic < 0 || (size_t)*nic >= (*carrier)->nic_limit)
		return refuse_range(env, "nic: outside the words");
	return true;
}

/* (handle, nic, paths, states): carrier_changes and carrier of each device in turn; likewise
 * whether it had carrier, and the count of changes then. The words are valid when this returns.
 * EEXIST: the NIC is watched already. */
static napi_value carrier_add(napi_env env, napi_callback_info info)
{
	struct carrier_watch *watch, **link;
	struct carrier *carrier;
	struct words states;
	napi_value values[4];
	uint32_t count = 0;
	int32_t nic;

	if (!take_nic(env, info, 4, values, &carrier, &nic) ||
	    !check_status(env, napi_get_array_length(env, values[2], &count)) ||
	    !take_words(env, values[3], "states", &states))
		return NULL;
	if (count == 0 || count % 2 != 0 || count / 2 > DEVICES_MAX || states.length != count) {
		refuse_range(env, "paths, states: two per device");
		return NULL;
	}
	watch = carrier_watch_open(env, nic, values[2], states);
	if (watch == NULL)
		return NULL;
	must(pthread_mutex_lock(&carrier->lock));
	link = watch_link(carrier, nic);
	bool exists = *link != NULL;
	if (!exists) {
		*link = watch;
		carrier_publish(carrier, watch, true);
		must(pthread_cond_signal(&carrier->watched));
		must(pthread_cond_signal(&carrier->unverified));
	}
	must(pthread_mutex_unlock(&carrier->lock));
	if (!exists)
		return give_undefined(env);
	carrier_watch_free(watch);
	return throw_errno(env, EEXIST, "carrier watch");
}

/* (handle, nic) -> true if it was watched. Its words are 0 afterwards. */
static napi_value carrier_remove(napi_env env, napi_callback_info info)
{
	struct carrier_watch *watch, **link;
	struct carrier *carrier;
	napi_value values[2];
	bool ours = false;
	int32_t nic;

	if (!take_nic(env, info, 2, values, &carrier, &nic))
		return NULL;
	must(pthread_mutex_lock(&carrier->lock));
	link = watch_link(carrier, nic);
	watch = *link;
	if (watch != NULL) {
		int32_t *words = carrier->words + (size_t)nic * CARRIER_WORDS_PER_NIC;

		*link = watch->next;
		watch->removed = true;
		ours = !watch->verifying;
		__atomic_store_n(&words[CARRIER_WORD_DOWN], 0, __ATOMIC_RELEASE);
		__atomic_store_n(&words[CARRIER_WORD_CHANGES], 0, __ATOMIC_RELEASE);
	}
	must(pthread_mutex_unlock(&carrier->lock));
	if (ours)
		carrier_watch_free(watch);
	return give_bool(env, watch != NULL);
}

/* (handle, nic) -> true if it is watched: its true state will be read at once. */
static napi_value carrier_refresh(napi_env env, napi_callback_info info)
{
	struct carrier_watch *watch;
	struct carrier *carrier;
	napi_value values[2];
	int32_t nic;

	if (!take_nic(env, info, 2, values, &carrier, &nic))
		return NULL;
	must(pthread_mutex_lock(&carrier->lock));
	watch = *watch_link(carrier, nic);
	if (watch != NULL) {
		watch->unverified = true;
		must(pthread_cond_signal(&carrier->unverified));
	}
	must(pthread_mutex_unlock(&carrier->lock));
	return give_bool(env, watch != NULL);
}

/* (handle): closing twice changes nothing. */
static napi_value carrier_close_js(napi_env env, napi_callback_info info)
{
	struct carrier *carrier;
	napi_value values[1];

	if (!take_arguments(env, info, 1, values) ||
	    !take_handle(env, values[0], HANDLE_CARRIER, (void **)&carrier))
		return NULL;
	carrier_close(carrier);
	return give_undefined(env);
}

static const struct function functions[] = {
	{ "carrierCreate", carrier_create }, { "carrierAdd", carrier_add },
	{ "carrierRemove", carrier_remove }, { "carrierRefresh", carrier_refresh },
	{ "carrierClose", carrier_close_js },
};

bool carrier_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
