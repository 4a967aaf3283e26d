/*
 * The carrier watch: link loss is reported within a millisecond, whatever else the machine does.
 *
 * The kernel serves link events of ordinary NICs at most once a second for the whole machine,
 * so a notification may come a second late. The counter `carrier_changes` in sysfs is immediate
 * and takes no lock, but shows only that something changed. The file `carrier` has the
 * state, but waits for the kernel's configuration lock (rtnl), which a driver resetting its
 * hardware may hold for seconds. So there are two threads:
 *
 *   ticker    each millisecond reads the counters, never anything that can wait. The carrier
 *             changes exactly when the counter does, so the state is the last verified one,
 *             inverted if the counter has moved by an odd number since.
 *   verifier  after each change, and when asked, reads the true state together with the value
 *             of the counter at which it was true. This also makes the kernel send the event
 *             it holds back.
 *
 * The caller gives each NIC's first state, from rtnetlink; the verifier confirms it.
 *
 * A verified state that is older than a newer change does no harm: it is a base, and the
 * ticker counts on from it. What the counter does not show (the device is set down or up by an
 * administrator) comes by a refresh that a netlink message causes.
 *
 * Order when a NIC changes: its words are stored (release), the workers' eventfds are written,
 * then JavaScript is called. Words are written under the lock only.
 *
 * Without watches both threads sleep on condition variables. The end joins the ticker, which
 * never waits for long; the verifier is detached and owns a reference to what it uses.
 */
#include "carrier.h"
#include "operation.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Between two looks at the counters: 0.8 us each, so 10 NICs cost less than 1 % of a core. */
#define TICK_NS 1000000L
#define SECOND_NS 1000000000L

/* Tries to read a state at a standing counter; a NIC that flaps faster is verified next time. */
#define VERIFY_TRIES 8

/* The number in a sysfs file; false if the file cannot be read, with errno set. */
static bool read_number(int fd, uint32_t *number)
{
	char text[16];
	ssize_t length;

	do {
		length = pread(fd, text, sizeof(text) - 1, 0);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return false;
	text[length] = '\0';
	*number = (uint32_t)strtoul(text, NULL, 10);
	return true;
}

void carrier_count(struct carrier_device *device)
{
	if (!read_number(device->changes_fd, &device->changes))
		device->truth.state = CARRIER_GONE;
}

/* Reads a device's true state; waits while the kernel's configuration lock is held. False if the
 * counter changed too often for the state to belong to one value of it. */
static bool verify(const struct carrier_device *device, struct carrier_truth *truth)
{
	kernel_gate();
	for (int tries = 0; tries < VERIFY_TRIES; tries++) {
		uint32_t before, carrier;
		bool readable;
		int error;

		truth->state = CARRIER_GONE;
		if (!read_number(device->changes_fd, &before))
			return true;
		readable = read_number(device->carrier_fd, &carrier);
		error = errno;
		if (!read_number(device->changes_fd, &truth->changes))
			return true;
		if (readable)
			truth->state = carrier != 0 ? CARRIER_ON : CARRIER_OFF;
		else if (error == EINVAL)
			truth->state = CARRIER_UNREADABLE;
		if (before == truth->changes || truth->state == CARRIER_GONE)
			return true;
	}
	return false;
}

static bool has_carrier(const struct carrier_device *device)
{
	bool toggled = (device->changes - device->truth.changes) % 2 != 0;

	switch (device->truth.state) {
	case CARRIER_ON:
		return !toggled;
	case CARRIER_OFF:
		return toggled;
	default:
		return false;
	}
}

bool carrier_publish(struct carrier *carrier, struct carrier_watch *watch, bool force)
{
	int32_t *words = carrier->words + (size_t)watch->nic * CARRIER_WORDS_PER_NIC;
	bool down = true;
	uint32_t changes = 0;

	for (size_t i = 0; i < watch->device_count; i++) {
		down = down && !has_carrier(&watch->devices[i]);
		changes += watch->devices[i].changes;
	}
	if (!force && down == watch->down && changes == watch->changes)
		return false;
	watch->down = down;
	watch->changes = changes;
	__atomic_store_n(&words[CARRIER_WORD_CHANGES], (int32_t)changes, __ATOMIC_RELEASE);
	__atomic_store_n(&words[CARRIER_WORD_DOWN], down, __ATOMIC_RELEASE);
	return true;
}

/* Looks at the counters of one NIC; true if its words changed. */
static bool tick_watch(struct carrier *carrier, struct carrier_watch *watch)
{
	for (size_t i = 0; i < watch->device_count; i++) {
		struct carrier_device *device = &watch->devices[i];
		uint32_t changes;

		if (device->truth.state == CARRIER_GONE)
			continue;
		if (!read_number(device->changes_fd, &changes)) {
			device->truth.state = CARRIER_GONE;
		} else if (changes != device->changes) {
			device->changes = changes;
			watch->unverified = true;
		}
	}
	if (watch->unverified)
		must(pthread_cond_signal(&carrier->unverified));
	if (!carrier_publish(carrier, watch, false))
		return false;
	watch->changed = true;
	return true;
}

static void ring(const struct carrier *carrier)
{
	const uint64_t one = 1;

	for (size_t i = 0; i < carrier->wake_count; i++) {
		/* EAGAIN: the counter is at its limit, so the bell rings already. No signal
		 * comes to this thread. */
		ssize_t written = write(carrier->wake_fds[i], &one, sizeof(one));

		(void)written;
	}
}

/* One look at everything; returns with the lock released. */
static void tick(struct carrier *carrier)
{
	bool changed = false, notify;

	for (struct carrier_watch *watch = carrier->watches; watch != NULL; watch = watch->next)
		changed = tick_watch(carrier, watch) || changed;
	notify = changed && !carrier->notified;
	carrier->notified = carrier->notified || changed;
	must(pthread_mutex_unlock(&carrier->lock));
	if (changed)
		ring(carrier);
	/* The function is released only after this thread has ended, and its queue has no limit. */
	if (notify)
		must(napi_call_threadsafe_function(carrier->notify, NULL, napi_tsfn_nonblocking));
}

/* The next tick after `at`; ticks that were missed are left out. */
static void sleep_until_next(struct timespec *at)
{
	struct timespec now;

	at->tv_nsec += TICK_NS;
	if (at->tv_nsec >= SECOND_NS) {
		at->tv_nsec -= SECOND_NS;
		at->tv_sec++;
	}
	must(clock_gettime(CLOCK_MONOTONIC, &now));
	if (now.tv_sec > at->tv_sec || (now.tv_sec == at->tv_sec && now.tv_nsec > at->tv_nsec))
		*at = now;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, at, NULL) == EINTR)
		;
}

static void *run_ticker(void *data)
{
	struct carrier *carrier = data;
	struct timespec at;
	int nice;

	/* Not allowed, or failed: the thread watches at the priority of the process. */
	(void)priority_raise(&nice);
	must(clock_gettime(CLOCK_MONOTONIC, &at));
	must(pthread_mutex_lock(&carrier->lock));
	while (!carrier->stop) {
		if (carrier->watches == NULL) {
			must(pthread_cond_wait(&carrier->watched, &carrier->lock));
			continue;
		}
		tick(carrier);
		sleep_until_next(&at);
		must(pthread_mutex_lock(&carrier->lock));
	}
	must(pthread_mutex_unlock(&carrier->lock));
	return NULL;
}

void carrier_watch_free(struct carrier_watch *watch)
{
	for (size_t i = 0; i < watch->device_count; i++) {
		close_own(watch->devices[i].changes_fd);
		close_own(watch->devices[i].carrier_fd);
	}
	free(watch);
}

/* Reads one NIC's states without the lock. A watch that is removed meanwhile is ours to free. */
static void verify_watch(struct carrier *carrier, struct carrier_watch *watch)
{
	watch->unverified = false;
	watch->verifying = true;
	for (size_t i = 0; i < watch->device_count && !watch->removed; i++) {
		struct carrier_device *device = &watch->devices[i];
		struct carrier_truth truth;

		must(pthread_mutex_unlock(&carrier->lock));
		bool certain = verify(device, &truth);
		must(pthread_mutex_lock(&carrier->lock));
		/* An uncertain one changed meanwhile, so the ticker asks again. */
		if (certain && device->truth.state != CARRIER_GONE)
			device->truth = truth;
	}
	watch->verifying = false;
	if (watch->removed)
		carrier_watch_free(watch);
}

static struct carrier_watch *first_unverified(struct carrier *carrier)
{
	struct carrier_watch *watch = carrier->watches;

	while (watch != NULL && !watch->unverified)
		watch = watch->next;
	return watch;
}

static void *run_verifier(void *data)
{
	struct carrier *carrier = data;
	int nice;

	(void)priority_raise(&nice);
	must(pthread_mutex_lock(&carrier->lock));
	while (!carrier->stop) {
		struct carrier_watch *watch = first_unverified(carrier);

		if (watch == NULL)
			must(pthread_cond_wait(&carrier->unverified, &carrier->lock));
		else
			verify_watch(carrier, watch);
	}
	must(pthread_mutex_unlock(&carrier->lock));
	carrier_release(carrier);
	return NULL;
}

int carrier_start(struct carrier *carrier)
{
	sigset_t all, before;
	pthread_t verifier;
	int error;

	/* Signals belong to the thread that runs the event loop. */
	must(sigfillset(&all));
	must(pthread_sigmask(SIG_SETMASK, &all, &before));
	error = pthread_create(&carrier->ticker, NULL, run_ticker, carrier);
	if (error == 0) {
		__atomic_add_fetch(&carrier->owners, 1, __ATOMIC_RELAXED);
		error = pthread_create(&verifier, NULL, run_verifier, carrier);
		if (error != 0) {
			carrier_release(carrier);
			must(pthread_mutex_lock(&carrier->lock));
			carrier->stop = true;
			must(pthread_cond_signal(&carrier->watched));
			must(pthread_mutex_unlock(&carrier->lock));
			must(pthread_join(carrier->ticker, NULL));
		}
	}
	must(pthread_sigmask(SIG_SETMASK, &before, NULL));
	if (error != 0)
		return error;
	carrier->started = true;
	/* Names are for people: without /proc there are none. */
	(void)pthread_setname_np(carrier->ticker, "ipmpd-carrier");
	(void)pthread_setname_np(verifier, "ipmpd-verify");
	/* At the end it may wait in the kernel, where it could not be joined. */
	must(pthread_detach(verifier));
	return 0;
}

void carrier_stop(struct carrier *carrier)
{
	struct carrier_watch *watch;

	if (!carrier->started)
		return;
	carrier->started = false;
	must(pthread_mutex_lock(&carrier->lock));
	carrier->stop = true;
	must(pthread_cond_signal(&carrier->watched));
	must(pthread_cond_signal(&carrier->unverified));
	must(pthread_mutex_unlock(&carrier->lock));
	must(pthread_join(carrier->ticker, NULL));
	must(pthread_mutex_lock(&carrier->lock));
	while ((watch = carrier->watches) != NULL) {
		carrier->watches = watch->next;
		watch->removed = true;
		if (!watch->verifying)
			carrier_watch_free(watch);
	}
	must(pthread_mutex_unlock(&carrier->lock));
}
