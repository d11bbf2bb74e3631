/* A server in a process of its own that answers every request with the same page. */
#ifndef PAGE_SERVER_H
#define PAGE_SERVER_H

#include <stddef.h>

/* Starts it. Returns its port on 127.0.0.1, 0 when that fails. It ends with stop_page_server, or with this process.
 * A request for /gzip gets the page compressed where libdeflate is there. */
int start_page_server(const char *page, size_t n);
void stop_page_server(void);

#endif
