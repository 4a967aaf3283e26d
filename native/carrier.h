/*
 * The carrier watch: what carrier.c (JavaScript's side) and carrier-threads.c (the two threads)
 * share. carrier-threads.c opens with how it works.
 */
#ifndef IPMPD_CARRIER_H
#define IPMPD_CARRIER_H

#include "native.h"

#include <pthread.h>

/* Shared words of one NIC: its state and the count of its changes; the others are spare. */
#define CARRIER_WORDS_PER_NIC 4
#define CARRIER_WORD_DOWN 0
#define CARRIER_WORD_CHANGES 1

/* What is known of a device's carrier at one value of its counter. */
enum carrier_state {
	CARRIER_OFF,
	CARRIER_ON,
	CARRIER_UNREADABLE, /* the device is administratively down: counts as off */
	CARRIER_GONE,       /* the device was deleted: off for ever */
};

struct carrier_truth {
	enum carrier_state state;
	uint32_t changes;
};

struct carrier_device {
	int changes_fd;
	int carrier_fd;
	uint32_t changes;            /* the counter as last read */
	struct carrier_truth truth;  /* the state as last verified */
};

/* One NIC: down when none of its devices has carrier. */
struct carrier_watch {
	struct carrier_watch *next;
	int32_t nic;
	bool down;        /* as published in the words */
	uint32_t changes; /* likewise */
	bool unverified; /* the verifier shall read the true states */
	bool verifying;  /* the verifier is reading: only it may free the watch */
	bool removed;
	bool changed; /* JavaScript has not received it yet */
	size_t device_count;
	struct carrier_device devices[];
};

struct carrier {
	unsigned int owners; /* the external, the thread-safe function, the verifier; atomic */
	bool started;
	napi_env env;
	napi_ref words_ref;
	napi_threadsafe_function notify;
	int32_t *words;
	size_t nic_limit;
	int *wake_fds; /* duplicates: the owner of the originals may close them at any time */
	size_t wake_count;

	pthread_t ticker;
	pthread_mutex_t lock; /* of everything below, of the watches, and of writing the words */
	pthread_cond_t watched;
	pthread_cond_t unverified;
	struct carrier_watch *watches;
	bool stop;
	bool notified; /* a notification is queued and not yet begun */
};

/* Creates both threads; 0 or an errno. */
int carrier_start(struct carrier *carrier);
/* Ends them; afterwards nothing touches the words or the wake descriptors. */
void carrier_stop(struct carrier *carrier);

/* Reads the counter of changes, which takes no lock; the device may turn out to be gone. */
void carrier_count(struct carrier_device *device);

/* carrier-open.c: opens the devices that are there, with the states that are known of them; NULL
 * leaves an exception, ENOENT if there is none. */
struct carrier_watch *carrier_watch_open(napi_env env, int32_t nic, napi_value paths,
					 struct words states);

/* With the lock held: recomputes a watch, writes its words; true if something changed. */
bool carrier_publish(struct carrier *carrier, struct carrier_watch *watch, bool force);

void carrier_watch_free(struct carrier_watch *watch);

/* Gives one reference back; the last one frees all. */
void carrier_release(struct carrier *carrier);

#endif
