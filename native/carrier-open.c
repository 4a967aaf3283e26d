/* Opens the files by which devices show their carrier, on the thread that serves JavaScript. */
#include "carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_LENGTH_MAX 4096

/* Takes the path of an attribute and opens it: the descriptor, -1 with errno set if the device is
 * not there, or -2 with an exception left. Opening runs no code of a driver and takes no lock of
 * the configuration; reading `carrier` would. */
static int open_attribute(napi_env env, napi_value paths, uint32_t index)
{
	char path[PATH_LENGTH_MAX];
	napi_value value = NULL;

	if (!check_status(env, napi_get_element(env, paths, index, &value)) ||
	    !take_string(env, value, "path", path, sizeof(path)))
		return -2;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || errno == ENOENT || errno == ENODEV)
		return fd;
	throw_errno(env, errno, "open");
	return -2;
}

/* Opens both files of a device; what it showed before is the base until it is verified. A device
 * that is not there is left out. False leaves an exception. */
static bool open_device(napi_env env, struct carrier_watch *watch, napi_value paths,
			uint32_t index, const int32_t *state)
{
	struct carrier_device *device = &watch->devices[watch->device_count];

	device->changes_fd = open_attribute(env, paths, 2 * index);
	if (device->changes_fd < 0)
		return device->changes_fd == -1;
	device->carrier_fd = open_attribute(env, paths, 2 * index + 1);
	if (device->carrier_fd < 0) {
		close_own(device->changes_fd);
		return device->carrier_fd == -1;
	}
	device->truth.state = state[0] != 0 ? CARRIER_ON : CARRIER_OFF;
	device->truth.changes = (uint32_t)state[1];
	carrier_count(device);
	watch->device_count++;
	return true;
}

struct carrier_watch *carrier_watch_open(napi_env env, int32_t nic, napi_value paths,
					 struct words states)
{
	uint32_t count = (uint32_t)(states.length / 2);
	struct carrier_watch *watch =
		calloc(1, sizeof(*watch) + count * sizeof(watch->devices[0]));

	if (watch == NULL) {
		throw_errno(env, ENOMEM, "calloc");
		return NULL;
	}
	watch->nic = nic;
	watch->unverified = true;
	for (uint32_t i = 0; i < count; i++) {
		if (open_device(env, watch, paths, i, &states.data[2 * i]))
			continue;
		carrier_watch_free(watch);
		return NULL;
	}
	if (watch->device_count > 0)
		return watch;
	carrier_watch_free(watch);
	throw_errno(env, ENOENT, "open");
	return NULL;
}
