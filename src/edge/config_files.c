/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration's files: which are read, in which order, and through inih. inih's word is not
 * taken: each line must come out as the checking reader meant it. */
#include "edge/config_files.h"

#include "base/strbuf.h"
#include "build_config.h"
#include "core/config_build.h"
#include "core/profile_build.h"
#include "core/reader.h"
#include "edge/public_suffix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DROP_INS_MAX = 1000, PROFILES_LISTED_MAX = 10000 };

/* One text on its way through inih. */
struct feed {
	struct reader reader;
	struct reader_line line;
	struct reader_file *file;
	bool delivered; /* the handler was called for this line */
	bool differs;
};

static void disagree(struct feed *f)
{
	if (!f->differs)
		diag_add(f->reader.diags, DIAG_ERROR,
			(struct source){f->reader.file, f->line.number}, NULL, NULL,
			"the INI library reads this line otherwise than it is written");
	f->differs = true;
}

/* inih's fgets. Comments and refused lines go to it as empty ones. */
static char *feed_line(char *ret, int size, void *userdata)
{
	struct feed *f = userdata;

	if (f->line.kind == READER_KEY && !f->delivered)
		disagree(f);
	f->delivered = false;
	if (!reader_next(&f->reader, &f->line))
		return NULL;
	if (f->line.kind == READER_NOTHING || f->line.len + 2 > (size_t)size) {
		if (f->line.kind != READER_NOTHING)
			disagree(f);
		ret[0] = '\n';
		ret[1] = '\0';
		return ret;
	}
	memcpy(ret, f->line.text, f->line.len);
	ret[f->line.len] = '\n';
	ret[f->line.len + 1] = '\0';
	if (f->line.kind == READER_SECTION)
		reader_file_add(f->file, f->line.section, NULL, NULL, f->line.number);
	return ret;
}

static int take_entry(void *userdata, const char *section, const char *key, const char *value)
{
	struct feed *f = userdata;
	char squeezed[READER_SECTION_MAX + 1];

	if (f->delivered || f->line.kind != READER_KEY ||
		!reader_squeeze(section, strlen(section), squeezed, sizeof(squeezed)) ||
		!str_eq(squeezed, f->reader.section) || !str_eq(key, f->line.key) ||
		!str_eq(value, f->line.value)) {
		disagree(f);
		return 1;
	}
	f->delivered = true;
	if (f->file->count < READER_ENTRIES_MAX)
		reader_file_add(f->file, squeezed, key, value, f->line.number);
	else
		disagree(f);
	return 1;
}

void config_read_text(const char *text, size_t len, const char *name, struct diag_list *diags,
	struct reader_file *ret)
{
	struct reader_file file = {.name = xstrdup(name)};
	struct feed f = {.reader = reader_over(text, len, file.name, diags), .file = &file};

	int rc = ini_parse_stream(feed_line, &f, take_entry, &f);
	if (rc != 0 && !f.differs)
		diag_add(diags, DIAG_ERROR, (struct source){file.name, rc > 0 ? (unsigned)rc : 0},
			NULL, NULL, "the INI library refuses this line");
	file.damaged = f.reader.failed || f.differs || rc != 0;
	*ret = file;
}

/* -------------------------------------------------------------------------------- files */

/* Everything that was read in one go of config_load(). */
struct load {
	const char *root;
	struct diag_list *diags;
	struct strings profiles_asked; /* their faults are told once */
	struct strings profile_files;  /* names that the profiles' sources point into */
	uint64_t digest;
	struct config_text *texts; /* for the configuration */
	size_t text_count, text_capacity;
};

enum file_state { FILE_READ, FILE_ABSENT, FILE_MASKED, FILE_BAD };

static void digest_add(struct load *l, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		l->digest = (l->digest ^ p[i]) * UINT64_C(0x100000001b3);
}

static bool is_null_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

static const char *kind_of(mode_t mode)
{
	return S_ISDIR(mode)    ? "is a directory, no file"
	       : S_ISFIFO(mode) ? "is a pipe, no file"
	       : S_ISSOCK(mode) ? "is a socket, no file"
				: "is a device, no file";
}

/* Never blocks: a FIFO is opened without waiting for its writer, and refused. */
static enum file_state read_content(
	const char *path, const char *name, struct diag_list *diags, struct strbuf *ret)
{
	const struct source at = {name, 0};
	struct stat st;
	char buffer[16384];
	ssize_t n;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return FILE_ABSENT;
	if (fd < 0 || fstat(fd, &st) < 0) {
		diag_add(diags, DIAG_ERROR, at, NULL, NULL, "cannot be read: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return FILE_BAD;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		if (is_null_device(&st))
			return FILE_MASKED;
		diag_add(diags, DIAG_ERROR, at, NULL, NULL, "%s", kind_of(st.st_mode));
		return FILE_BAD;
	}
	while ((n = read(fd, buffer, sizeof(buffer))) > 0 && ret->len <= READER_FILE_MAX)
		strbuf_append_bytes(ret, buffer, (size_t)n);
	int error = n < 0 ? errno : 0;
	close(fd);
	if (error) {
		diag_add(diags, DIAG_ERROR, at, NULL, NULL, "cannot be read: %s", strerror(error));
		return FILE_BAD;
	}
	if (ret->len > READER_FILE_MAX) {
		diag_add(diags, DIAG_ERROR, at, NULL, NULL, "is larger than %d bytes",
			READER_FILE_MAX);
		return FILE_BAD;
	}
	return FILE_READ;
}

struct reader_files {
	struct reader_file *items;
	size_t count, capacity;
};

static void reader_files_done(struct reader_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		reader_file_done(&files->items[i]);
	free(files->items);
	*files = (struct reader_files){0};
}

static enum file_state read_one(struct load *l, const char *path, const char *name,
	struct diag_list *diags, struct reader_files *ret)
{
	_cleanup_(strbuf_done) struct strbuf content = STRBUF_NULL;
	enum file_state state = read_content(path, name, diags, &content);

	if (state == FILE_ABSENT || state == FILE_MASKED)
		return state;
	VEC_GROW(ret->items, ret->capacity, ret->count);
	struct reader_file *file = &ret->items[ret->count++];
	if (state == FILE_BAD) {
		*file = (struct reader_file){.name = xstrdup(name), .damaged = true};
		return state;
	}
	digest_add(l, name, strlen(name) + 1);
	digest_add(l, &content.len, sizeof(content.len));
	digest_add(l, strbuf_text(&content), content.len);
	VEC_GROW(l->texts, l->text_capacity, l->text_count);
	l->texts[l->text_count++] = (struct config_text){
		xstrdup(path + strlen(l->root)), xstrdup(strbuf_text(&content))};
	config_read_text(strbuf_text(&content), content.len, name, diags, file);
	return state;
}

static bool is_conf(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 5 && str_eq(name + len - 5, ".conf");
}

static int only_conf(const struct dirent *d)
{
	return is_conf(d->d_name);
}

/* By bytes: the order must not hang on a locale, as alphasort's does. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* *.conf of a directory, sorted. A directory that is not there has none. */
static void list_conf(const char *path, const char *name, size_t max, struct diag_list *diags,
	struct strings *ret)
{
	struct dirent **entries;
	int n = scandir(path, &entries, only_conf, by_name);

	if (n < 0) {
		if (errno != ENOENT)
			diag_add(diags, DIAG_ERROR, (struct source){name, 0}, NULL, NULL,
				"cannot be read: %s", strerror(errno));
		return;
	}
	if ((size_t)n > max)
		diag_add(diags, DIAG_ERROR, (struct source){name, 0}, NULL, NULL,
			"has more than %zu files", max);
	for (int i = 0; i < n; i++) {
		if ((size_t)i < max)
			strings_add(ret, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

/* PATH.d/... of a directory's drop-ins, in order. */
static void read_drop_ins(struct load *l, const char *path, const char *name,
	struct diag_list *diags, struct reader_files *ret)
{
	_cleanup_(strings_done) struct strings entries = {0};

	list_conf(path, name, DROP_INS_MAX, diags, &entries);
	for (size_t i = 0; i < entries.count; i++) {
		_cleanup_free_ char *file = xasprintf("%s/%s", path, entries.items[i]);
		_cleanup_free_ char *shown = xasprintf("%s/%s", name, entries.items[i]);
		if (read_one(l, file, shown, diags, ret) == FILE_ABSENT)
			diag_add(diags, DIAG_ERROR, (struct source){shown, 0}, NULL, NULL,
				"is a link to nowhere");
	}
}

static const char *read_date(const struct reader_files *files)
{
	const char *date = NULL;

	for (size_t i = 0; i < files->count; i++) {
		for (size_t k = 0; k < files->items[i].count; k++) {
			const struct reader_entry *e = &files->items[i].entries[k];
			if (e->key && str_eq(e->section, "profile") && str_eq(e->key, "read"))
				date = e->value;
		}
	}
	return date;
}

/* The admin's file stands for the packaged one: say so when that one has seen a newer page. */
static void compare_with_packaged(struct load *l, const char *packaged, const char *shown,
	const struct reader_files *admins, struct diag_list *diags)
{
	_cleanup_(reader_files_done) struct reader_files theirs = {0};
	struct diag_list ignored = DIAG_LIST_NULL;
	uint64_t digest = l->digest;
	size_t texts = l->text_count;

	if (read_one(l, packaged, shown, &ignored, &theirs) == FILE_READ) {
		const char *newer = read_date(&theirs), *older = read_date(admins);
		if (newer && (!older || strcmp(older, newer) < 0))
			diag_add(diags, DIAG_WARNING, (struct source){admins->items[0].name, 0},
				NULL, NULL, "replaces %s, which is newer (read %s%s%s)", shown,
				newer, older ? ", this one " : "", older ? older : "");
	}
	/* it has no part in the configuration */
	l->digest = digest;
	if (l->text_count > texts) {
		free(l->texts[--l->text_count].path);
		free(l->texts[l->text_count].content);
	}
	diag_list_done(&ignored);
}

static struct profile *get_profile(void *userdata, const char *name, struct diag_list *diags)
{
	struct load *l = userdata;
	_cleanup_(reader_files_done) struct reader_files files = {0};
	struct diag_list told = DIAG_LIST_NULL;
	_cleanup_free_ char *path =
		xasprintf("%s%s/vendors/%s.conf", l->root, ALLOWSYNCD_CONF_DIR, name);
	_cleanup_free_ char *shown = xasprintf("vendors/%s.conf", name);
	_cleanup_free_ char *packaged =
		xasprintf("%s%s/%s.conf", l->root, ALLOWSYNCD_VENDOR_DIR, name);
	_cleanup_free_ char *packaged_shown = xasprintf("%s/%s.conf", ALLOWSYNCD_VENDOR_DIR, name);
	_cleanup_free_ char *drop_ins = xasprintf("%s.d", path);
	_cleanup_free_ char *drop_ins_shown = xasprintf("%s.d", shown);

	/* a second vendor of the same profile hears nothing new */
	if (strings_has(&l->profiles_asked, name))
		diags = &told;
	else
		strings_add(&l->profiles_asked, name);

	enum file_state state = read_one(l, path, shown, diags, &files);
	if (state == FILE_READ)
		compare_with_packaged(l, packaged, packaged_shown, &files, diags);
	if (state == FILE_MASKED)
		diag_add(diags, DIAG_WARNING, (struct source){shown, 0}, NULL, NULL,
			"a link to /dev/null masks this profile");
	if (state == FILE_ABSENT)
		state = read_one(l, packaged, packaged_shown, diags, &files);

	struct profile *profile = NULL;
	if (state == FILE_READ || state == FILE_BAD)
		read_drop_ins(l, drop_ins, drop_ins_shown, diags, &files);
	if (files.count) {
		/* the names stay with the configuration: the profile's sources point into them */
		for (size_t i = 0; i < files.count; i++) {
			strings_add(&l->profile_files, files.items[i].name);
			free(files.items[i].name);
			files.items[i].name = l->profile_files.items[l->profile_files.count - 1];
		}
		profile = profile_build(name, files.items, files.count, diags);
		for (size_t i = 0; i < files.count; i++)
			files.items[i].name = NULL;
	}
	diag_list_done(&told);
	return profile;
}

/* What the check can suggest for a profile that is not there. */
static void list_profiles(struct load *l, struct strings *ret)
{
	static const char *const directories[] = {
		ALLOWSYNCD_CONF_DIR "/vendors", ALLOWSYNCD_VENDOR_DIR};
	struct diag_list ignored = DIAG_LIST_NULL;

	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		_cleanup_(strings_done) struct strings files = {0};
		_cleanup_free_ char *path = xasprintf("%s%s", l->root, directories[i]);
		list_conf(path, directories[i], PROFILES_LISTED_MAX, &ignored, &files);
		for (size_t k = 0; k < files.count; k++) {
			files.items[k][strlen(files.items[k]) - 5] = '\0';
			strings_add(ret, files.items[k]);
		}
	}
	diag_list_done(&ignored);
}

static size_t file_index(const struct config *c, const char *file)
{
	size_t i = 0;

	while (i < c->file_count && !str_eq(c->files[i], file))
		i++;
	return i;
}

struct placed {
	struct diag diag;
	size_t file, number;
};

static int by_place(const void *pa, const void *pb)
{
	const struct placed *a = pa, *b = pb;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->diag.line != b->diag.line)
		return a->diag.line < b->diag.line ? -1 : 1;
	return a->number < b->number ? -1 : 1;
}

/* In the order of the files and lines, however the builders came upon them. */
static void sort_diags(struct diag_list *diags, const struct config *c)
{
	struct placed *all = xcalloc(diags->count + 1, sizeof(*all));

	for (size_t i = 0; i < diags->count; i++)
		all[i] = (struct placed){diags->items[i], file_index(c, diags->items[i].file), i};
	qsort(all, diags->count, sizeof(*all), by_place);
	for (size_t i = 0; i < diags->count; i++)
		diags->items[i] = all[i].diag;
	free(all);
}

void config_load(const char *root, struct diag_list *diags, struct config **ret_config)
{
	static const char main_name[] = "allowsyncd.conf";
	struct load l = {.diags = diags, .digest = UINT64_C(0xcbf29ce484222325)};
	_cleanup_(reader_files_done) struct reader_files files = {0};
	_cleanup_(strings_done) struct strings profile_names = {0};
	_cleanup_free_ char *base = xstrdup(root ? root : "");

	for (size_t len = strlen(base); len && base[len - 1] == '/'; len--)
		base[len - 1] = '\0';
	l.root = base;
	_cleanup_free_ char *path = xasprintf("%s%s/%s", base, ALLOWSYNCD_CONF_DIR, main_name);
	_cleanup_free_ char *drop_ins = xasprintf("%s.d", path);

	enum file_state state = read_one(&l, path, main_name, diags, &files);
	if (state == FILE_ABSENT)
		diag_add(diags, DIAG_ERROR, (struct source){main_name, 0}, NULL, NULL,
			"there is no %s", path);
	if (state == FILE_MASKED)
		diag_add(diags, DIAG_ERROR, (struct source){main_name, 0}, NULL, NULL,
			"is a link to /dev/null");
	read_drop_ins(&l, drop_ins, "allowsyncd.conf.d", diags, &files);
	list_profiles(&l, &profile_names);

	struct config *c = config_build(
		files.items, files.count, get_profile, &l, &profile_names, public_suffix_of, diags);
	for (size_t i = 0; i < l.profile_files.count; i++) {
		VEC_GROW(c->files, c->file_capacity, c->file_count);
		c->files[c->file_count++] = l.profile_files.items[i];
	}
	free(l.profile_files.items);
	strings_done(&l.profiles_asked);
	c->texts = l.texts;
	c->text_count = l.text_count;
	c->text_capacity = l.text_capacity;
	snprintf(c->digest, sizeof(c->digest), "%016llx", (unsigned long long)l.digest);
	sort_diags(diags, c);
	*ret_config = c;
}
