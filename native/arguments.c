/*
 * Taking arguments from JavaScript and giving results back. A wrong argument is a TypeError
 * that names it; the typed wrapper makes these rare, memory safety makes them necessary.
 */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ours and random: no other addon has it. The second word is the kind of a handle. */
#define TAG_OF_ADDON UINT64_C(0x9d3c1f6ab8e04752)

void must(int status)
{
	if (status != 0)
		abort();
}

void close_own(int fd)
{
	(void)close(fd);
}

bool refuse_argument(napi_env env, const char *what, const char *expected)
{
	char message[128];

	snprintf(message, sizeof(message), "%s: %s expected", what, expected);
	check_status(env, napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message));
	return false;
}

bool refuse_range(napi_env env, const char *message)
{
	check_status(env, napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message));
	return false;
}

bool check_status(napi_env env, napi_status status)
{
	const napi_extended_error_info *info = NULL;
	const char *message = "N-API call failed";
	bool pending = false;

	if (status == napi_ok)
		return true;
	if (napi_get_last_error_info(env, &info) == napi_ok && info->error_message != NULL)
		message = info->error_message;
	/* If this fails too, the environment is ending and runs no JavaScript any more. */
	if (napi_is_exception_pending(env, &pending) == napi_ok && !pending)
		(void)napi_throw_error(env, NULL, message);
	return false;
}

void report_exception(napi_env env, napi_status status)
{
	napi_value exception = NULL;
	bool pending = false;

	if (status == napi_ok)
		return;
	/* Nothing is pending when the environment is ending and runs no JavaScript any more. */
	if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
	    napi_get_and_clear_last_exception(env, &exception) == napi_ok)
		(void)napi_fatal_exception(env, exception);
}

bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values)
{
	/* Missing arguments arrive as undefined; the function that takes them refuses them. */
	size_t given = count;

	return check_status(env, napi_get_cb_info(env, info, &given, values, NULL, NULL));
}

bool take_int32(napi_env env, napi_value value, const char *what, int32_t *out)
{
	if (napi_get_value_int32(env, value, out) != napi_ok)
		return refuse_argument(env, what, "integer");
	return true;
}

bool take_uint32(napi_env env, napi_value value, const char *what, uint32_t *out)
{
	if (napi_get_value_uint32(env, value, out) != napi_ok)
		return refuse_argument(env, what, "unsigned integer");
	return true;
}

bool take_bool(napi_env env, napi_value value, const char *what, bool *out)
{
	if (napi_get_value_bool(env, value, out) != napi_ok)
		return refuse_argument(env, what, "boolean");
	return true;
}

bool take_string(napi_env env, napi_value value, const char *what, char *out, size_t size)
{
	size_t length = 0;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
		return refuse_argument(env, what, "string");
	if (length == 0 || length >= size)
		return refuse_argument(env, what, "string of suitable length");
	if (!check_status(env, napi_get_value_string_utf8(env, value, out, size, NULL)))
		return false;
	return strlen(out) == length || refuse_argument(env, what, "string without an octet 0");
}

bool take_bytes(napi_env env, napi_value value, const char *what, struct bytes *out)
{
	napi_typedarray_type type;
	void *data = NULL;

	if (napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) != napi_ok)
		return refuse_argument(env, what, "Uint8Array");
	if (type != napi_uint8_array)
		return refuse_argument(env, what, "Uint8Array");
	out->data = data;
	return true;
}

bool take_words(napi_env env, napi_value value, const char *what, struct words *out)
{
	napi_typedarray_type type;
	void *data = NULL;

	if (napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) != napi_ok)
		return refuse_argument(env, what, "Int32Array");
	if (type != napi_int32_array)
		return refuse_argument(env, what, "Int32Array");
	out->data = data;
	return true;
}

bool take_function(napi_env env, napi_value value, const char *what)
{
	napi_valuetype type = napi_undefined;

	if (napi_typeof(env, value, &type) != napi_ok || type != napi_function)
		return refuse_argument(env, what, "function");
	return true;
}

static napi_type_tag tag_of(enum handle_kind kind)
{
	return (napi_type_tag){ TAG_OF_ADDON, kind };
}

bool take_handle(napi_env env, napi_value value, enum handle_kind kind, void **out)
{
	const napi_type_tag tag = tag_of(kind);
	napi_valuetype type = napi_undefined;
	bool ours = false;

	if (napi_typeof(env, value, &type) != napi_ok || type != napi_external)
		return refuse_argument(env, "handle", "handle of this addon");
	if (!check_status(env, napi_check_object_type_tag(env, value, &tag, &ours)))
		return false;
	if (!ours)
		return refuse_argument(env, "handle", "handle of the right kind");
	return check_status(env, napi_get_value_external(env, value, out));
}

napi_value give_handle(napi_env env, enum handle_kind kind, void *data, napi_finalize finalize,
		       bool *owned)
{
	const napi_type_tag tag = tag_of(kind);
	napi_value external = NULL;

	*owned = check_status(env, napi_create_external(env, data, finalize, NULL, &external));
	if (!*owned || !check_status(env, napi_type_tag_object(env, external, &tag)))
		return NULL;
	return external;
}

napi_value give_int32(napi_env env, int32_t value)
{
	napi_value result = NULL;

	check_status(env, napi_create_int32(env, value, &result));
	return result;
}

napi_value give_double(napi_env env, double value)
{
	napi_value result = NULL;

	check_status(env, napi_create_double(env, value, &result));
	return result;
}

napi_value give_bool(napi_env env, bool value)
{
	napi_value result = NULL;

	check_status(env, napi_get_boolean(env, value, &result));
	return result;
}

napi_value give_string(napi_env env, const char *value)
{
	napi_value result = NULL;

	check_status(env, napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result));
	return result;
}

napi_value give_undefined(napi_env env)
{
	napi_value result = NULL;

	check_status(env, napi_get_undefined(env, &result));
	return result;
}

bool set_property(napi_env env, napi_value object, const char *name, napi_value value)
{
	if (value == NULL)
		return false;
	return check_status(env, napi_set_named_property(env, object, name, value));
}

bool register_functions(napi_env env, napi_value exports, const struct function *functions,
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct function *entry = &functions[i];
		napi_value function = NULL;

		if (!check_status(env, napi_create_function(env, entry->name, NAPI_AUTO_LENGTH,
							    entry->callback, NULL, &function)))
			return false;
		if (!set_property(env, exports, entry->name, function))
			return false;
	}
	return true;
}
