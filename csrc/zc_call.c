/* Building a call, and its end as memory. What happens in between is zc_client.c's. */
#define _POSIX_C_SOURCE 200809L
#include "zc_client_private.h"
#include "zc_inflate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SPARE_MAX ((size_t)4 * 1024 * 1024) /* what a client may keep for itself */

zc_call *zc_call_new(zc_client *client, zc_method method)
{
    zc_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->client = client;
    client->references++;
    call->method = method;
    call->repeatable = method == ZC_GET;
    call->retries = client->retries;
    call->timeout = client->timeout;
    call->stall_timeout = client->stall_timeout;
    call->state = ZC_NEW;
    return call;
}

zc_status zc_call_target(zc_call *call, zc_target target)
{
    call->target = target;
    return zc_buf_puts(&call->url, zc_client_base(call->client, target));
}

zc_status zc_call_header(zc_call *call, const char *name, const char *value)
{
    zc_buf line = {0};
    while (*value == ' ' || *value == '\t')
        value++;
    zc_status status = zc_buf_puts(&line, name);
    /* libcurl's own form for a header without a value is "Name;" */
    if (status == ZC_OK)
        status = zc_buf_puts(&line, value[0] == '\0' ? ";" : ": ");
    if (status == ZC_OK)
        status = zc_buf_puts(&line, value);
    if (status == ZC_OK) {
        struct curl_slist *longer = curl_slist_append(call->headers, line.data);
        if (longer == NULL)
            status = ZC_ENOMEM;
        else
            call->headers = longer;
    }
    if (line.data != NULL)
        zc_wipe(line.data, line.len); /* it may be the key */
    zc_buf_free(&line);
    return status;
}

/* Adds a header unless the caller has set it. */
static zc_status add_default(zc_call *call, const char *name, const char *value)
{
    size_t n = strlen(name);
    for (const struct curl_slist *node = call->headers; node != NULL; node = node->next)
        if (strncasecmp(node->data, name, n) == 0 && (node->data[n] == ':' || node->data[n] == ';'))
            return ZC_OK;
    return zc_call_header(call, name, value);
}

zc_status zc_call_finish_headers(zc_call *call)
{
    const zc_client *client = call->client;
    zc_status status = add_default(call, "Accept", "application/json");
    if (status == ZC_OK && call->has_body)
        status = add_default(call, "Content-Type", "application/json");
    /* a stale connection must not stand in the way of the calls that repair it */
    if (status == ZC_OK && client->connection != NULL && call->target == ZC_GATEWAY)
        status = add_default(call, "Maton-Connection", client->connection);
    if (client->offline || status != ZC_OK)
        return status; /* the key never reaches the Lua side of the sandbox */
    zc_buf value = {0};
    status = zc_buf_puts(&value, "Bearer ");
    if (status == ZC_OK)
        status = zc_buf_puts(&value, client->api_key != NULL ? client->api_key : "");
    if (status == ZC_OK)
        status = zc_call_header(call, "Authorization", value.data);
    if (status == ZC_OK) /* no pause of a second before large bodies */
        status = curl_slist_append(call->headers, "Expect:") != NULL ? ZC_OK : ZC_ENOMEM;
    if (status == ZC_OK && zc_inflate_accepts() != NULL)
        status = zc_call_header(call, "Accept-Encoding", zc_inflate_accepts());
    if (status == ZC_OK && !call->has_body) /* libcurl would call an empty body a form */
        status = curl_slist_append(call->headers, "Content-Type:") != NULL ? ZC_OK : ZC_ENOMEM;
    if (value.data != NULL)
        zc_wipe(value.data, value.len);
    zc_buf_free(&value);
    return status;
}

void zc_call_forget_headers(zc_call *call)
{
    for (struct curl_slist *node = call->headers; node != NULL; node = node->next)
        zc_wipe(node->data, strlen(node->data));
    curl_slist_free_all(call->headers);
    call->headers = NULL;
}

void zc_call_free(zc_call *call)
{
    zc_call_cancel(call, "the call was abandoned");
    zc_call_forget_headers(call);
    zc_buf_free(&call->url);
    zc_buf_free(&call->body);
    zc_buf_free(&call->head);
    /* answers are much of a size: the memory of this one serves to decompress the next */
    if (call->reply.cap > call->client->spare.cap && call->reply.cap <= SPARE_MAX) {
        zc_buf spare = call->client->spare;
        call->client->spare = call->reply;
        call->reply = spare;
    }
    zc_buf_free(&call->reply);
    zc_client_release(call->client);
    free(call);
}
