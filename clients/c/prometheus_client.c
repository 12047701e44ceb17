/* See prometheus_client.h. */
#include "prometheus_client.h"

/*
 * The registry: a list of families, each with a list of series. Both only grow,
 * by a compare-and-swap at their head, so that readers need no lock. Newest come
 * first; the order of families has no meaning in the text format.
 */
static _Atomic(struct prometheus_family *) families;

/* --- Names ------------------------------------------------------------------ */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_valid_name(const char *name, bool colons)
{
    if (name == NULL || *name == '\0')
        return false;
    for (const char *c = name; *c != '\0'; c++) {
        bool first = c == name;
        if (!is_letter(*c) && !(colons && *c == ':') && (first || !is_digit(*c)))
            return false;
    }
    return true;
}

/* Histograms own the label "le"; names with two leading underscores are internal. */
static bool is_valid_label(const struct prometheus_label *label, enum prometheus_type type)
{
    const char *n = label->name;
    if (!is_valid_name(n, false) || label->value == NULL)
        return false;
    if (n[0] == '_' && n[1] == '_')
        return false;
    return !(type == PROMETHEUS_TYPE_HISTOGRAM && n[0] == 'l' && n[1] == 'e' && n[2] == '\0');
}

/* --- Registering ------------------------------------------------------------ */

/* A series' first member is at offset zero in each kind of metric. */
_Static_assert(offsetof(struct prometheus_counter, series) == 0, "series comes first");
_Static_assert(offsetof(struct prometheus_gauge, series) == 0, "series comes first");
_Static_assert(offsetof(struct prometheus_histogram, series) == 0, "series comes first");

static bool has_rising_bounds(const struct prometheus_histogram *histogram)
{
    for (size_t i = 1; i < histogram->bound_count; i++) {
        if (histogram->bounds[i] <= histogram->bounds[i - 1])
            return false;
    }
    return true;
}

enum prometheus_error prometheus_register(struct prometheus_series *series)
{
    struct prometheus_family *family = series->family;

    if (family == NULL || !is_valid_name(family->name, true))
        return PROMETHEUS_INVALID_NAME;
    for (size_t i = 0; i < series->label_count; i++) {
        if (!is_valid_label(&series->labels[i], family->type))
            return PROMETHEUS_INVALID_NAME;
    }
    if (family->type == PROMETHEUS_TYPE_HISTOGRAM &&
        !has_rising_bounds((const struct prometheus_histogram *)series))
        return PROMETHEUS_INVALID_BOUNDS;

    if (atomic_exchange(&series->registered, true))
        return PROMETHEUS_ALREADY_REGISTERED;

    struct prometheus_series *first = atomic_load(&family->first);
    do {
        atomic_store(&series->next, first);
    } while (!atomic_compare_exchange_weak(&family->first, &first, series));

    if (!atomic_exchange(&family->registered, true)) {
        struct prometheus_family *head = atomic_load(&families);
        do {
            atomic_store(&family->next, head);
        } while (!atomic_compare_exchange_weak(&families, &head, family));
    }
    return PROMETHEUS_OK;
}

/* --- Updating --------------------------------------------------------------- */

/* Values say nothing about other memory, so the cheapest ordering is enough. */

void prometheus_counter_add(struct prometheus_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}

void prometheus_counter_inc(struct prometheus_counter *counter) { prometheus_counter_add(counter, 1); }

void prometheus_gauge_set(struct prometheus_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void prometheus_gauge_add(struct prometheus_gauge *gauge, int64_t amount)
{
    atomic_fetch_add_explicit(&gauge->value, amount, memory_order_relaxed);
}

void prometheus_gauge_inc(struct prometheus_gauge *gauge) { prometheus_gauge_add(gauge, 1); }
void prometheus_gauge_dec(struct prometheus_gauge *gauge) { prometheus_gauge_add(gauge, -1); }

void prometheus_histogram_observe(struct prometheus_histogram *histogram, uint64_t value)
{
    size_t i = 0;
    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

/* --- Rendering -------------------------------------------------------------- */

/* Counts every character and keeps those that fit. */
struct writer {
    char *buffer;
    size_t size;
    size_t length;
};

static void put(struct writer *w, char c)
{
    if (w->length + 1 < w->size)
        w->buffer[w->length] = c;
    w->length++;
}

static void put_text(struct writer *w, const char *text)
{
    for (; *text != '\0'; text++)
        put(w, *text);
}

static void put_escaped(struct writer *w, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            put_text(w, "\\n");
        } else {
            if (*text == '\\' || (quotes && *text == '"'))
                put(w, '\\');
            put(w, *text);
        }
    }
}

/* 1500 with 3 decimals is 1.5; with none, 1500. */
static void put_number(struct writer *w, uint64_t value, unsigned decimals)
{
    /* 2^64 has 20 digits; more decimals than that only add leading zeros. */
    char digits[20];
    size_t count = 0;
    size_t skip = 0;

    for (; value != 0; value /= 10)
        digits[count++] = (char)('0' + value % 10);
    /* Zeros at the end of the fraction. */
    while (skip < decimals && skip < count && digits[skip] == '0')
        skip++;
    if (count == 0 || (skip == count && count <= decimals)) {
        put(w, '0');
        return;
    }
    if (count <= decimals)
        put(w, '0');
    for (size_t i = count; i > decimals; i--)
        put(w, digits[i - 1]);
    if (skip == decimals)
        return;
    put(w, '.');
    for (size_t i = decimals; i > skip; i--)
        put(w, i > count ? '0' : digits[i - 1]);
}

static void put_signed(struct writer *w, int64_t value, unsigned decimals)
{
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        put(w, '-');
        magnitude = 0 - magnitude;
    }
    put_number(w, magnitude, decimals);
}

/* name_suffix{labels,le="bound"}: everything of a line before its value. */
static void put_series(struct writer *w, const struct prometheus_series *series, const char *suffix,
                       const uint64_t *bound, bool infinite)
{
    const struct prometheus_family *family = series->family;
    const char *separator = "{";

    put_text(w, family->name);
    put_text(w, suffix);
    for (size_t i = 0; i < series->label_count; i++) {
        put_text(w, separator);
        put_text(w, series->labels[i].name);
        put_text(w, "=\"");
        put_escaped(w, series->labels[i].value, true);
        put(w, '"');
        separator = ",";
    }
    if (bound != NULL || infinite) {
        put_text(w, separator);
        put_text(w, "le=\"");
        if (infinite)
            put_text(w, "+Inf");
        else
            put_number(w, *bound, family->decimals);
        put(w, '"');
        separator = ",";
    }
    if (*separator == ',')
        put(w, '}');
    put(w, ' ');
}

static void put_histogram(struct writer *w, const struct prometheus_histogram *histogram)
{
    const struct prometheus_series *series = &histogram->series;
    uint64_t count = 0;

    for (size_t i = 0; i <= histogram->bound_count; i++) {
        bool infinite = i == histogram->bound_count;
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        put_series(w, series, "_bucket", infinite ? NULL : &histogram->bounds[i], infinite);
        put_number(w, count, 0);
        put(w, '\n');
    }
    put_series(w, series, "_sum", NULL, false);
    put_number(w, atomic_load_explicit(&histogram->sum, memory_order_relaxed), series->family->decimals);
    put(w, '\n');
    /* Taken from the buckets just written, so that it equals the last of them. */
    put_series(w, series, "_count", NULL, false);
    put_number(w, count, 0);
    put(w, '\n');
}

static void put_family(struct writer *w, const struct prometheus_family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    put_text(w, "# HELP ");
    put_text(w, family->name);
    put(w, ' ');
    put_escaped(w, family->help != NULL ? family->help : "", false);
    put_text(w, "\n# TYPE ");
    put_text(w, family->name);
    put(w, ' ');
    put_text(w, types[family->type]);
    put(w, '\n');

    for (const struct prometheus_series *s = atomic_load(&family->first); s != NULL; s = atomic_load(&s->next)) {
        switch (family->type) {
        case PROMETHEUS_TYPE_COUNTER:
            put_series(w, s, "", NULL, false);
            put_number(w, atomic_load_explicit(&((const struct prometheus_counter *)s)->value, memory_order_relaxed),
                       family->decimals);
            put(w, '\n');
            break;
        case PROMETHEUS_TYPE_GAUGE:
            put_series(w, s, "", NULL, false);
            put_signed(w, atomic_load_explicit(&((const struct prometheus_gauge *)s)->value, memory_order_relaxed),
                       family->decimals);
            put(w, '\n');
            break;
        case PROMETHEUS_TYPE_HISTOGRAM:
            put_histogram(w, (const struct prometheus_histogram *)s);
            break;
        }
    }
}

size_t prometheus_render(char *buffer, size_t size)
{
    struct writer w = {.buffer = buffer, .size = size, .length = 0};

    for (const struct prometheus_family *f = atomic_load(&families); f != NULL; f = atomic_load(&f->next))
        put_family(&w, f);
    if (size > 0)
        buffer[w.length < size ? w.length : size - 1] = '\0';
    return w.length;
}
