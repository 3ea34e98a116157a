/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From facts of this machine to lines for its admin. */
#include "daemon/host_check.h"

#include "core/host.h"
#include "core/timeouts.h"
#include "edge/flow_timeouts.h"
#include "edge/host_files.h"
#include "edge/nft_host.h"
#include "edge/own_net_links.h"

#include <netinet/in.h>
#include <stdio.h>

int host_check(const struct config *c)
{
	static const char *const weights[] = {
		[HOST_NOTE] = "note", [HOST_WARNING] = "warning", [HOST_BROKEN] = "broken"};
	struct host_findings findings;
	struct host host = {.flows = -1, .flows_max = -1};
	struct timeouts own;
	int status = 0;

	host_files_read("", &host);
	own_net_links_read(&host);
	nft_host_read(&host);
	host.lengthens = flow_timeouts_read(&own) == 0 && timeouts_are_known(&own, IPPROTO_TCP) &&
			 timeouts_are_known(&own, IPPROTO_UDP);
	host_judge(&host, c, &findings);
	for (size_t i = 0; i < findings.count; i++) {
		const struct host_finding *f = &findings.items[i];
		printf("host: %s: %s\n", weights[f->weight], f->what);
		if (f->remedy)
			printf("      remedy: %s\n", f->remedy);
		if (f->weight != HOST_NOTE)
			status = 1;
	}
	if (!findings.count)
		puts("host: nothing found that would be in the way");
	host_findings_done(&findings);
	host_done(&host);
	return status;
}
