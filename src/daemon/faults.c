/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults of a configuration for the journal. */
#include "daemon/faults.h"

#include <syslog.h>

void faults_tell(const struct diag_list *diags,
	void (*emit)(void *userdata, const struct event *event), void *userdata)
{
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *d = &diags->items[i];
		_cleanup_free_ char *m = diag_format(d);
		emit(userdata, &(struct event){
				       .kind = EVENT_CONFIG_DIAG,
				       .priority = d->level == DIAG_ERROR ? LOG_ERR : LOG_WARNING,
				       .message = m,
				       .file = d->file,
				       .line = d->line,
			       });
	}
}
