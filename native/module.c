/*
 * Entry of the addon: constants of the layout that both sides use, then each file's functions.
 */
#include "carrier.h"

static bool set_number(napi_env env, napi_value object, const char *name, int32_t value)
{
	return set_property(env, object, name, give_int32(env, value));
}

static bool register_constants(napi_env env, napi_value exports)
{
	return set_number(env, exports, "abi", IPMPD_NATIVE_ABI) &&
	       set_number(env, exports, "vnetHeaderLength", VNET_HEADER_LENGTH) &&
	       set_number(env, exports, "slotLength", SLOT_LENGTH) &&
	       set_number(env, exports, "burstMax", BURST_MAX) &&
	       set_number(env, exports, "carrierWordsPerNic", CARRIER_WORDS_PER_NIC) &&
	       set_number(env, exports, "datapathNice", DATAPATH_NICE) &&
	       set_property(env, exports, "errno", errno_numbers(env));
}

NAPI_MODULE_INIT()
{
	if (register_constants(env, exports) && device_register(env, exports) &&
	    later_register(env, exports) && file_register(env, exports) &&
	    request_register(env, exports) &&
	    burst_register(env, exports) && wait_register(env, exports) &&
	    netlink_register(env, exports) && peer_register(env, exports) &&
	    notify_register(env, exports) && lock_register(env, exports) &&
	    carrier_register(env, exports) && priority_register(env, exports))
		return exports;
	return NULL;
}
