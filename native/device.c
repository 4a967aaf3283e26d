/*
 * TUN/TAP and macvtap character devices: opening, attaching a queue, and the settings that
 * persist on a device. Policy (which flags, which node, in which order) is datapath/tap.ts.
 */
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PATH_LENGTH_MAX 4096

static bool take_fd(napi_env env, napi_callback_info info, int32_t *fd)
{
	napi_value values[1];

	return take_arguments(env, info, 1, values) && take_int32(env, values[0], "fd", fd);
}

/* (path) -> fd, non-blocking, closed on exec, and not tracked by a worker's file system. */
static napi_value device_open(napi_env env, napi_callback_info info)
{
	char path[PATH_LENGTH_MAX];
	napi_value values[1];

	if (!take_arguments(env, info, 1, values) ||
	    !take_string(env, values[0], "path", path, sizeof(path)))
		return NULL;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return throw_errno(env, errno, "open");
	return give_int32(env, fd);
}

/* (fd). Linux frees the descriptor even if close reports EINTR. */
static napi_value device_close(napi_env env, napi_callback_info info)
{
	int32_t fd;

	if (!take_fd(env, info, &fd))
		return NULL;
	if (close(fd) < 0 && errno != EINTR)
		return throw_errno(env, errno, "close");
	return give_undefined(env);
}

/* (path) -> { isCharacter, major, minor } of what lies there. Opening a macvtap's node already
 * takes a share of its frames, so a node is looked at before it is opened. */
static napi_value device_node(napi_env env, napi_callback_info info)
{
	char path[PATH_LENGTH_MAX];
	napi_value values[1], node = NULL;
	struct stat status;

	if (!take_arguments(env, info, 1, values) ||
	    !take_string(env, values[0], "path", path, sizeof(path)))
		return NULL;
	if (stat(path, &status) < 0)
		return throw_errno(env, errno, "stat");
	if (!check_status(env, napi_create_object(env, &node)) ||
	    !set_property(env, node, "isCharacter", give_bool(env, S_ISCHR(status.st_mode))) ||
	    !set_property(env, node, "major", give_double(env, major(status.st_rdev))) ||
	    !set_property(env, node, "minor", give_double(env, minor(status.st_rdev))))
		return NULL;
	return node;
}

/* (path, major, minor): makes a character node for root alone. */
static napi_value device_make_node(napi_env env, napi_callback_info info)
{
	char path[PATH_LENGTH_MAX];
	uint32_t major_number, minor_number;
	napi_value values[3];

	if (!take_arguments(env, info, 3, values) ||
	    !take_string(env, values[0], "path", path, sizeof(path)) ||
	    !take_uint32(env, values[1], "major", &major_number) ||
	    !take_uint32(env, values[2], "minor", &minor_number))
		return NULL;
	if (mknod(path, S_IFCHR | 0600, makedev(major_number, minor_number)) < 0)
		return throw_errno(env, errno, "mknod");
	return give_undefined(env);
}

/* (fd) -> the IFF_* bits that the driver behind the descriptor offers. */
static napi_value tap_features(napi_env env, napi_callback_info info)
{
	unsigned int features = 0;
	int32_t fd;

	if (!take_fd(env, info, &fd))
		return NULL;
	if (ioctl(fd, TUNGETFEATURES, &features) < 0)
		return throw_errno(env, errno, "ioctl(TUNGETFEATURES)");
	return give_int32(env, (int32_t)features);
}

static napi_value give_interface(napi_env env, struct ifreq *request)
{
	napi_value result = NULL;
	uint16_t flags = (uint16_t)request->ifr_flags;

	request->ifr_name[IFNAMSIZ - 1] = '\0';
	if (!check_status(env, napi_create_object(env, &result)) ||
	    !set_property(env, result, "name", give_string(env, request->ifr_name)) ||
	    !set_property(env, result, "flags", give_int32(env, flags)))
		return NULL;
	return result;
}

/* (fd, name, flags) -> { name, flags }: makes the descriptor a queue of the interface. */
static napi_value tap_attach(napi_env env, napi_callback_info info)
{
	struct ifreq request;
	napi_value values[3];
	uint32_t flags;
	int32_t fd;

	memset(&request, 0, sizeof(request));
	if (!take_arguments(env, info, 3, values) || !take_int32(env, values[0], "fd", &fd) ||
	    !take_string(env, values[1], "name", request.ifr_name, sizeof(request.ifr_name)) ||
	    !take_uint32(env, values[2], "flags", &flags))
		return NULL;
	request.ifr_flags = (short)flags;
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return throw_errno(env, errno, "ioctl(TUNSETIFF)");
	return give_interface(env, &request);
}

/* (fd) -> { name, flags } as they are now. ENOLINK or EBADFD: the interface is gone. */
static napi_value tap_query(napi_env env, napi_callback_info info)
{
	struct ifreq request;
	int32_t fd;

	memset(&request, 0, sizeof(request));
	if (!take_fd(env, info, &fd))
		return NULL;
	if (ioctl(fd, TUNGETIFF, &request) < 0)
		return throw_errno(env, errno, "ioctl(TUNGETIFF)");
	return give_interface(env, &request);
}

/* (fd, length): of the header before each frame, in octets; persists on a TAP. */
static napi_value tap_set_vnet_header_length(napi_env env, napi_callback_info info)
{
	napi_value values[2];
	int32_t fd, length;

	if (!take_arguments(env, info, 2, values) || !take_int32(env, values[0], "fd", &fd) ||
	    !take_int32(env, values[1], "length", &length))
		return NULL;
	if (ioctl(fd, TUNSETVNETHDRSZ, &length) < 0)
		return throw_errno(env, errno, "ioctl(TUNSETVNETHDRSZ)");
	return give_undefined(env);
}

static napi_value tap_vnet_header_length(napi_env env, napi_callback_info info)
{
	int length = 0;
	int32_t fd;

	if (!take_fd(env, info, &fd))
		return NULL;
	if (ioctl(fd, TUNGETVNETHDRSZ, &length) < 0)
		return throw_errno(env, errno, "ioctl(TUNGETVNETHDRSZ)");
	return give_int32(env, length);
}

/* (fd, mask): TUN_F_* that we accept in frames read; EINVAL if the kernel lacks one. */
static napi_value tap_set_offload(napi_env env, napi_callback_info info)
{
	napi_value values[2];
	uint32_t mask;
	int32_t fd;

	if (!take_arguments(env, info, 2, values) || !take_int32(env, values[0], "fd", &fd) ||
	    !take_uint32(env, values[1], "mask", &mask))
		return NULL;
	if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)mask) < 0)
		return throw_errno(env, errno, "ioctl(TUNSETOFFLOAD)");
	return give_undefined(env);
}

static bool take_switch(napi_env env, napi_callback_info info, int32_t *fd, bool *on)
{
	napi_value values[2];

	return take_arguments(env, info, 2, values) && take_int32(env, values[0], "fd", fd) &&
	       take_bool(env, values[1], "on", on);
}

/* (fd, on): the carrier that the interface shows. */
static napi_value tap_set_carrier(napi_env env, napi_callback_info info)
{
	int32_t fd;
	bool on;

	if (!take_switch(env, info, &fd, &on))
		return NULL;
	int carrier = on;
	if (ioctl(fd, TUNSETCARRIER, &carrier) < 0)
		return throw_errno(env, errno, "ioctl(TUNSETCARRIER)");
	return give_undefined(env);
}

/* (fd, on): whether the interface outlives its last descriptor. */
static napi_value tap_set_persist(napi_env env, napi_callback_info info)
{
	int32_t fd;
	bool on;

	if (!take_switch(env, info, &fd, &on))
		return NULL;
	if (ioctl(fd, TUNSETPERSIST, (unsigned long)on) < 0)
		return throw_errno(env, errno, "ioctl(TUNSETPERSIST)");
	return give_undefined(env);
}

/* (fd, on): attaches or detaches a queue of a multi-queue interface; a detached queue is not
 * steered to. */
static napi_value tap_set_queue(napi_env env, napi_callback_info info)
{
	struct ifreq request;
	int32_t fd;
	bool on;

	memset(&request, 0, sizeof(request));
	if (!take_switch(env, info, &fd, &on))
		return NULL;
	request.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
	if (ioctl(fd, TUNSETQUEUE, &request) < 0)
		return throw_errno(env, errno, "ioctl(TUNSETQUEUE)");
	return give_undefined(env);
}

/* The hardware address in a request as a 48-bit number. */
static napi_value give_hardware_address(napi_env env, const struct ifreq *request)
{
	uint64_t address = 0;

	for (size_t i = 0; i < 6; i++)
		address = address << 8 | (uint8_t)request->ifr_hwaddr.sa_data[i];
	return give_double(env, (double)address);
}

/* (fd) -> hardware address of the interface behind a TAP or macvtap descriptor. */
static napi_value tap_hardware_address(napi_env env, napi_callback_info info)
{
	struct ifreq request;
	int32_t fd;

	memset(&request, 0, sizeof(request));
	if (!take_fd(env, info, &fd))
		return NULL;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return throw_errno(env, errno, "ioctl(SIOCGIFHWADDR)");
	return give_hardware_address(env, &request);
}

/* Asks about an interface of this network namespace by its name. */
static bool interface_request(napi_env env, napi_callback_info info, struct ifreq *request,
			      unsigned long command, const char *syscall)
{
	napi_value values[1];

	memset(request, 0, sizeof(*request));
	if (!take_arguments(env, info, 1, values) ||
	    !take_string(env, values[0], "name", request->ifr_name, sizeof(request->ifr_name)))
		return false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		throw_errno(env, errno, "socket");
		return false;
	}
	int error = ioctl(fd, command, request) < 0 ? errno : 0;
	close(fd);
	if (error != 0)
		throw_errno(env, error, syscall);
	return error == 0;
}

/* (name) -> hardware address as a 48-bit number. ENODEV: no such interface here. */
static napi_value interface_hardware_address(napi_env env, napi_callback_info info)
{
	struct ifreq request;

	if (!interface_request(env, info, &request, SIOCGIFHWADDR, "ioctl(SIOCGIFHWADDR)"))
		return NULL;
	return give_hardware_address(env, &request);
}

/* (name) -> index in this network namespace, whatever a mounted sysfs shows. */
static napi_value interface_index(napi_env env, napi_callback_info info)
{
	struct ifreq request;

	if (!interface_request(env, info, &request, SIOCGIFINDEX, "ioctl(SIOCGIFINDEX)"))
		return NULL;
	return give_int32(env, request.ifr_ifindex);
}

static const struct function functions[] = {
	{ "deviceOpen", device_open },
	{ "deviceClose", device_close },
	{ "deviceNode", device_node },
	{ "deviceMakeNode", device_make_node },
	{ "tapFeatures", tap_features },
	{ "tapAttach", tap_attach },
	{ "tapQuery", tap_query },
	{ "tapSetVnetHeaderLength", tap_set_vnet_header_length },
	{ "tapVnetHeaderLength", tap_vnet_header_length },
	{ "tapSetOffload", tap_set_offload },
	{ "tapSetCarrier", tap_set_carrier },
	{ "tapSetPersist", tap_set_persist },
	{ "tapSetQueue", tap_set_queue },
	{ "tapHardwareAddress", tap_hardware_address },
	{ "interfaceHardwareAddress", interface_hardware_address },
	{ "interfaceIndex", interface_index },
};

bool device_register(napi_env env, napi_value exports)
{
	return REGISTER(env, exports, functions);
}
