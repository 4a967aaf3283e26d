/*
 * Arguments out of JavaScript, results into it, and the form of an operation that is made at
 * once. What the forms are: operation.h.
 */
#include "operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

void call_fails(struct call *call, const char *syscall)
{
	call->error = errno;
	call->syscall = syscall;
}

void call_run(struct call *call)
{
	if (call->operation->locks)
		kernel_gate();
	call->operation->run(call);
}

void call_free(struct call *call)
{
	for (size_t i = 0; i < TEXTS_MAX; i++)
		free(call->texts[i]);
	free(call->bytes);
	free(call);
}

/* A copy of a string without an octet 0 inside; NULL leaves an exception. */
static char *copy_string(napi_env env, napi_value value, const char *what)
{
	size_t length = 0;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
		refuse_argument(env, what, "string");
		return NULL;
	}
	char *text = malloc(length + 1);
	if (text == NULL) {
		throw_errno(env, ENOMEM, "malloc");
		return NULL;
	}
	if (check_status(env, napi_get_value_string_utf8(env, value, text, length + 1, NULL)) &&
	    strlen(text) == length)
		return text;
	free(text);
	refuse_argument(env, what, "string without an octet 0");
	return NULL;
}

static bool copy_bytes(napi_env env, napi_value value, const char *what, struct call *call)
{
	struct bytes bytes;

	if (!take_bytes(env, value, what, &bytes))
		return false;
	call->bytes = malloc(bytes.length + 1);
	if (call->bytes == NULL) {
		throw_errno(env, ENOMEM, "malloc");
		return false;
	}
	memcpy(call->bytes, bytes.data, bytes.length);
	call->length = bytes.length;
	return true;
}

/* Takes one argument; false leaves an exception. */
static bool take_argument(napi_env env, napi_value value, const struct parameter *parameter,
			  struct call *call, size_t *numbers, size_t *texts)
{
	uint32_t word;
	bool flag;

	switch (parameter->take) {
	case TAKE_INT32:
		return take_int32(env, value, parameter->name, &call->numbers[(*numbers)++]);
	case TAKE_UINT32:
		if (!take_uint32(env, value, parameter->name, &word))
			return false;
		call->numbers[(*numbers)++] = (int32_t)word;
		return true;
	case TAKE_BOOL:
		if (!take_bool(env, value, parameter->name, &flag))
			return false;
		call->numbers[(*numbers)++] = flag;
		return true;
	case TAKE_STRING:
		call->texts[*texts] = copy_string(env, value, parameter->name);
		return call->texts[(*texts)++] != NULL;
	case TAKE_BYTES:
		return copy_bytes(env, value, parameter->name, call);
	case TAKE_NOTHING:
		break;
	}
	return true;
}

struct call *call_take(napi_env env, napi_callback_info info, const struct operation *operation)
{
	napi_value values[ARGUMENTS_MAX];
	size_t numbers = 0, texts = 0;
	struct call *call;

	if (!take_arguments(env, info, ARGUMENTS_MAX, values))
		return NULL;
	call = calloc(1, sizeof(*call));
	if (call == NULL) {
		throw_errno(env, ENOMEM, "calloc");
		return NULL;
	}
	call->operation = operation;
	for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
		if (take_argument(env, values[i], &operation->parameters[i], call, &numbers,
				  &texts))
			continue;
		call_free(call);
		return NULL;
	}
	return call;
}

static napi_value give_interface(napi_env env, const struct call *call)
{
	uint16_t flags = (uint16_t)call->request.ifr_flags;
	char name[IFNAMSIZ];
	napi_value result = NULL;

	memcpy(name, call->request.ifr_name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	if (!check_status(env, napi_create_object(env, &result)) ||
	    !set_property(env, result, "name", give_string(env, name)) ||
	    !set_property(env, result, "flags", give_int32(env, flags)))
		return NULL;
	return result;
}

static napi_value give_node(napi_env env, const struct call *call)
{
	const struct stat *status = &call->status;
	napi_value node = NULL;

	if (!check_status(env, napi_create_object(env, &node)) ||
	    !set_property(env, node, "isCharacter", give_bool(env, S_ISCHR(status->st_mode))) ||
	    !set_property(env, node, "major", give_double(env, major(status->st_rdev))) ||
	    !set_property(env, node, "minor", give_double(env, minor(status->st_rdev))))
		return NULL;
	return node;
}

static napi_value give_bytes(napi_env env, const struct call *call)
{
	napi_value result = NULL;

	check_status(env, napi_create_buffer_copy(env, call->length, call->bytes, NULL, &result));
	return result;
}

static napi_value give_latin1(napi_env env, const struct call *call)
{
	const char *text = (const char *)call->bytes;
	napi_value result = NULL;

	check_status(env, napi_create_string_latin1(env, text, call->length, &result));
	return result;
}

napi_value call_result(napi_env env, const struct call *call)
{
	if (call->error != 0)
		return throw_errno(env, call->error, call->syscall);
	switch (call->operation->give) {
	case GIVE_NUMBER:
		return give_double(env, call->value);
	case GIVE_INTERFACE:
		return give_interface(env, call);
	case GIVE_NODE:
		return give_node(env, call);
	case GIVE_BYTES:
		return give_bytes(env, call);
	case GIVE_STRING:
		return give_latin1(env, call);
	case GIVE_NOTHING:
		break;
	}
	return give_undefined(env);
}

static napi_value call_now(napi_env env, napi_callback_info info)
{
	void *operation = NULL;

	if (!check_status(env, napi_get_cb_info(env, info, NULL, NULL, NULL, &operation)))
		return NULL;
	struct call *call = call_take(env, info, operation);
	if (call == NULL)
		return NULL;
	call_run(call);
	napi_value result = call_result(env, call);
	call_free(call);
	return result;
}

/* The object `later` of the exports, made by the first table that is registered. */
static bool later_object(napi_env env, napi_value exports, napi_value *later)
{
	bool exists = false;

	if (!check_status(env, napi_has_named_property(env, exports, "later", &exists)))
		return false;
	if (exists)
		return check_status(env, napi_get_named_property(env, exports, "later", later));
	return check_status(env, napi_create_object(env, later)) &&
	       set_property(env, exports, "later", *later);
}

static bool register_form(napi_env env, napi_value object, const struct operation *operation,
			  napi_callback callback)
{
	napi_value function = NULL;

	/* N-API hands the operation back as it was given; nothing writes to it. */
	return check_status(env, napi_create_function(env, operation->name, NAPI_AUTO_LENGTH,
						      callback, (void *)operation, &function)) &&
	       set_property(env, object, operation->name, function);
}

bool register_operations(napi_env env, napi_value exports, const struct operation *operations,
			 size_t count)
{
	napi_value later = NULL;

	if (!later_object(env, exports, &later))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!register_form(env, exports, &operations[i], call_now) ||
		    !register_form(env, later, &operations[i], call_later))
			return false;
	}
	return true;
}
