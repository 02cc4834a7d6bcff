/* What the journal says of itself on the metrics page. */
#include "proxy/audit/journal_internal.h"
#include "proxy/observe/exposition.h"

static void write_histogram(const struct histogram *histogram, const struct histogram_scale *scale,
                            const char *name, const char *help, struct text *page)
{
    exposition_family(page, name, "histogram", help);
    histogram_write(histogram, scale, name, NULL, NULL, page);
}

void journal_write_metrics(struct journal *journal, struct text *page)
{
    struct journal_status status;

    journal_status(journal, &status);
    const struct {
        const char *name, *type, *help;
        uint64_t value, unit;
    } rows[] = {
        {"journal_usable", "gauge", "May changes be forwarded: is the audit journal writable",
         status.why == NULL, 1},
        {"journal_records", "gauge", "Durable records: the size of the journal's tree", status.tree_size, 1},
        {"journal_queued", "gauge", "Records that wait for the disk", status.queued, 1},
        {"journal_lost_records_total", "counter", "Records that could not be written", status.missed, 1},
        {"journal_checkpoint_records", "gauge", "Records that the newest checkpoint covers",
         status.checkpoint_size, 1},
        {"journal_checkpoint_time_seconds", "gauge",
         "When the newest checkpoint was written, since the epoch", (uint64_t)status.checkpoint_time_us,
         1000000},
        {"journal_checkpoints_total", "counter", "Checkpoints written", status.checkpoints, 1},
        {"journal_checkpoint_failures_total", "counter", "Checkpoints that could not be written",
         status.checkpoint_failures, 1},
        {"journal_witness_failures_total", "counter",
         "Checkpoints that the checkpoint command did not take or answered wrongly", status.witness_failures,
         1},
        {"journal_segments_removed_total", "counter", "Old files of the journal removed",
         status.segments_removed, 1},
        {"journal_sync_max_seconds", "gauge", "Longest time that making records durable took",
         status.sync_max_us, 1000000},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        exposition_single(page, rows[i].name, rows[i].type, rows[i].help, rows[i].value, rows[i].unit);
    write_histogram(&journal->home.syncs, &histogram_durations, "journal_sync_seconds",
                    "Time that making records durable took", page);
    write_histogram(&journal->groups, &histogram_counts, "journal_group_records",
                    "Records that were made durable at a time", page);
}
