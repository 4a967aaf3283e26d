/*
 * TUN/TAP and macvtap character devices: opening, attaching a queue, and the settings that
 * persist on a device. Policy (which flags, which node, in which order) is host/port/tap.ts.
 *
 * Nearly all of it takes the kernel's configuration lock, opening and closing included.
 */
#include "operation.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Non-blocking, closed on exec, and not tracked by a worker's file system. */
static void device_open(struct call *call)
{
	int fd = open(call->texts[0], O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		call_fails(call, "open");
	call->value = fd;
}

/* Linux frees the descriptor even if close reports EINTR. */
static void device_close(struct call *call)
{
	if (close(call->numbers[0]) < 0 && errno != EINTR)
		call_fails(call, "close");
}

/* Opening a macvtap's node already takes a share of its frames, so a node is looked at before it
 * is opened. */
static void device_node(struct call *call)
{
	if (stat(call->texts[0], &call->status) < 0)
		call_fails(call, "stat");
}

static void device_make_node(struct call *call)
{
	dev_t number = makedev((uint32_t)call->numbers[0], (uint32_t)call->numbers[1]);

	if (mknod(call->texts[0], S_IFCHR | 0600, number) < 0)
		call_fails(call, "mknod");
}

/* Puts a name into the request; false if no interface can have it. */
static bool name_request(struct call *call, const char *syscall)
{
	size_t length = strlen(call->texts[0]);

	if (length > 0 && length < IFNAMSIZ) {
		memcpy(call->request.ifr_name, call->texts[0], length + 1);
		return true;
	}
	errno = EINVAL;
	call_fails(call, syscall);
	return false;
}

static void tap_attach(struct call *call)
{
	if (!name_request(call, "ioctl(TUNSETIFF)"))
		return;
	call->request.ifr_flags = (short)call->numbers[1];
	if (ioctl(call->numbers[0], TUNSETIFF, &call->request) < 0)
		call_fails(call, "ioctl(TUNSETIFF)");
}

static void tap_query(struct call *call)
{
	if (ioctl(call->numbers[0], TUNGETIFF, &call->request) < 0)
		call_fails(call, "ioctl(TUNGETIFF)");
}

static void tap_set_vnet_header_length(struct call *call)
{
	if (ioctl(call->numbers[0], TUNSETVNETHDRSZ, &call->numbers[1]) < 0)
		call_fails(call, "ioctl(TUNSETVNETHDRSZ)");
}

static void tap_set_offload(struct call *call)
{
	unsigned long mask = (uint32_t)call->numbers[1];

	if (ioctl(call->numbers[0], TUNSETOFFLOAD, mask) < 0)
		call_fails(call, "ioctl(TUNSETOFFLOAD)");
}

static void tap_set_carrier(struct call *call)
{
	if (ioctl(call->numbers[0], TUNSETCARRIER, &call->numbers[1]) < 0)
		call_fails(call, "ioctl(TUNSETCARRIER)");
}

/* The hardware address in a request as a 48-bit number. */
static double hardware_address(const struct ifreq *request)
{
	uint64_t address = 0;

	for (size_t i = 0; i < 6; i++)
		address = address << 8 | (uint8_t)request->ifr_hwaddr.sa_data[i];
	return (double)address;
}

static void tap_hardware_address(struct call *call)
{
	if (ioctl(call->numbers[0], SIOCGIFHWADDR, &call->request) < 0)
		call_fails(call, "ioctl(SIOCGIFHWADDR)");
	call->value = hardware_address(&call->request);
}

/* Of an interface of this network namespace, by its name. */
static void interface_hardware_address(struct call *call)
{
	int fd;

	if (!name_request(call, "ioctl(SIOCGIFHWADDR)"))
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		call_fails(call, "socket");
		return;
	}
	if (ioctl(fd, SIOCGIFHWADDR, &call->request) < 0)
		call_fails(call, "ioctl(SIOCGIFHWADDR)");
	close_own(fd);
	call->value = hardware_address(&call->request);
}

#define FD { "fd", TAKE_INT32 }
#define PATH { "path", TAKE_STRING }
#define NAME { "name", TAKE_STRING }
#define ON { "on", TAKE_BOOL }

static const struct operation operations[] = {
	{ "deviceOpen", { PATH }, GIVE_NUMBER, LANE_CHANGE, true, device_open },
	{ "deviceClose", { FD }, GIVE_NOTHING, LANE_CHANGE, true, device_close },
	{ "deviceNode", { PATH }, GIVE_NODE, LANE_CHANGE, false, device_node },
	{ "deviceMakeNode",
	  { PATH, { "major", TAKE_UINT32 }, { "minor", TAKE_UINT32 } },
	  GIVE_NOTHING, LANE_CHANGE, false, device_make_node },
	{ "tapAttach", { FD, NAME, { "flags", TAKE_UINT32 } },
	  GIVE_INTERFACE, LANE_CHANGE, true, tap_attach },
	{ "tapQuery", { FD }, GIVE_INTERFACE, LANE_CHANGE, true, tap_query },
	{ "tapSetVnetHeaderLength", { FD, { "length", TAKE_INT32 } },
	  GIVE_NOTHING, LANE_CHANGE, true, tap_set_vnet_header_length },
	{ "tapSetOffload", { FD, { "mask", TAKE_UINT32 } },
	  GIVE_NOTHING, LANE_CHANGE, true, tap_set_offload },
	{ "tapSetCarrier", { FD, ON }, GIVE_NOTHING, LANE_CHANGE, true, tap_set_carrier },
	{ "tapHardwareAddress", { FD }, GIVE_NUMBER, LANE_CHANGE, true, tap_hardware_address },
	{ "interfaceHardwareAddress", { NAME },
	  GIVE_NUMBER, LANE_CHANGE, true, interface_hardware_address },
};

bool device_register(napi_env env, napi_value exports)
{
	return REGISTER_OPERATIONS(env, exports, operations);
}
