/* One case on its way: asked about when its time has come, recorded when there is a finding. */
#include "proxy/audit/reconcile_internal.h"
#include "proxy/base/clock.h"
#include "proxy/base/log.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define AGAIN_US  SECOND_US /* until a record that the journal did not take is offered again */

static const struct reconcile_settings *settings_of(const struct reconciler *reconciler)
{
    return policy_reconcile(ruleset_policy(reconciler->ruleset));
}

/* ---- making and ending ---- */

static struct reconcile_job *make(struct reconciler *reconciler, struct reconcile_case *subject)
{
    struct reconcile_job *job = calloc(1, sizeof *job);

    if (job == NULL) {
        log_event(LOG_ERROR, "reconcile", "out of memory: what is unknown stays so until the next start");
        reconcile_case_free(subject);
        return NULL;
    }
    job->owner = reconciler;
    job->subject = subject;
    job->due_us = clock_monotonic_us();
    TAILQ_INSERT_TAIL(&reconciler->jobs, job, entry);
    reconciler->job_count++;
    return job;
}

static const struct reconcile_job **place_of(struct reconciler *reconciler, const struct reconcile_job *job)
{
    for (size_t i = 0; i < RECONCILE_AT_ONCE; i++)
        if (reconciler->asking[i] == job)
            return &reconciler->asking[i];
    return NULL;
}

void reconcile_job_drop(struct reconcile_job *job)
{
    struct reconciler *reconciler = job->owner;

    if (job->state == JOB_ASKING)
        *place_of(reconciler, job) = NULL;
    if (job->state == JOB_WRITING)
        journal_forget(reconciler->port, job);
    TAILQ_REMOVE(&reconciler->jobs, job, entry);
    reconciler->job_count--;
    collect_cancel(job->call);
    reconcile_case_free(job->subject);
    free(job);
}

/* Its course is at its end: what is left is to record it. */
static void found(struct reconcile_job *job)
{
    job->state = JOB_FOUND;
    job->due_us = clock_monotonic_us();
}

static void give_up(struct reconcile_job *job, const char *why)
{
    reconcile_course_give_up(&job->course, why);
    found(job);
}

void reconcile_job_add(struct reconciler *reconciler, struct reconcile_case *subject)
{
    bool full = reconciler->job_count >= RECONCILE_CASES;
    struct reconcile_job *job = make(reconciler, subject);

    if (job == NULL)
        return;
    job->deadline_us = job->due_us + settings_of(reconciler)->deadline_s * SECOND_US;
    if (reconcile_course_begin(&job->course, subject) == STEP_DONE)
        found(job);
    else if (full)
        give_up(job, "too many changes wait to be looked into");
}

/* ---- asking ---- */

/* Is the organisation being asked about? One request at a time for each. */
static bool is_busy(const struct reconciler *reconciler, const struct reconcile_job *job)
{
    for (size_t i = 0; i < RECONCILE_AT_ONCE; i++)
        if (reconciler->asking[i] != NULL &&
            span_equal(reconciler->asking[i]->subject->organization, job->subject->organization))
            return true;
    return false;
}

static void out_of_time(struct reconcile_job *job)
{
    char why[sizeof job->course.detail + 64];

    (void)snprintf(why, sizeof why, "%s; there is no time left (reconcile.deadline_seconds)",
                   job->course.detail[0] != '\0' ? job->course.detail : "it could not be looked into");
    give_up(job, why);
}

/* Waits, if that leaves any time to ask. */
static void wait_for(struct reconcile_job *job, int64_t seconds)
{
    job->state = JOB_WAITING;
    job->due_us = clock_monotonic_us() + seconds * SECOND_US;
    if (job->due_us >= job->deadline_us)
        out_of_time(job);
}

static void take_step(struct reconcile_job *job, enum reconcile_step step, int64_t asked_s)
{
    const struct reconcile_settings *settings = settings_of(job->owner);
    unsigned failures = job->course.failures;
    int64_t pause = (int64_t)settings->retry_s << (failures > 0 ? failures - 1 : 0);

    switch (step) {
    case STEP_ASK:
        wait_for(job, 0);
        break;
    case STEP_SETTLE:
        wait_for(job, settings->settle_s);
        break;
    case STEP_RETRY:
        wait_for(job, asked_s > pause ? asked_s : pause);
        break;
    case STEP_DONE:
        found(job);
        break;
    }
}

/* The API's limit is one for all that use the credential: nothing is asked before its time is over. */
static void pause_all(struct reconcile_job *job, int64_t asked_s)
{
    struct reconciler *reconciler = job->owner;
    int64_t seconds = asked_s >= 0 ? asked_s : settings_of(reconciler)->retry_s;
    int64_t until = clock_monotonic_us() + seconds * SECOND_US;

    if (until > reconciler->paused_until_us)
        reconciler->paused_until_us = until;
    reconcile_course_restart(&job->course, "the API answered 429");
    wait_for(job, seconds);
}

static void on_answer(void *arg, const struct collect_answer *answer)
{
    struct reconcile_job *job = arg;
    struct reconciler *reconciler = job->owner;
    int64_t wait_s = reading_retry_after(answer->retry_after, clock_now_us() / 1000000);

    job->call = NULL;
    *place_of(reconciler, job) = NULL;
    if (answer->failure != NULL) {
        take_step(job, reconcile_course_failed(&job->course, answer->failure), -1);
    } else if (answer->status == 429) {
        job->course.status = answer->status;
        pause_all(job, wait_s);
    } else {
        take_step(job, reconcile_course_answer(&job->course, answer->status, answer->body), wait_s);
    }
    reconcile_pump(reconciler);
}

static void ask(struct reconcile_job *job, const struct reconcile_job **place)
{
    struct reconciler *reconciler = job->owner;
    struct span credential = ruleset_credential(reconciler->ruleset, settings_of(reconciler)->credential);
    struct text target = {0};

    if (credential.length == 0) {
        give_up(job, "the gate holds no credential to look with (reconcile.upstream_token in the policy)");
        return;
    }
    reconcile_course_target(&job->course, contract_base(ruleset_contract(reconciler->ruleset)), &target);
    const struct collect_request request = {
        .credential = credential,
        .target = {target.data, target.length},
        .bound = reconciler->service->config->upstream.json_bytes,
    };
    if (!target.failed)
        job->call = collect_start(reconciler->upstream, &request, on_answer, job);
    text_free(&target);
    if (job->call == NULL) {
        take_step(job, reconcile_course_failed(&job->course, "memory is out"), -1);
        return;
    }
    job->state = JOB_ASKING;
    *place = job;
}

/* ---- recording ---- */

static void on_written(void *arg, bool durable)
{
    struct reconcile_job *job = arg;
    struct reconciler *reconciler = job->owner;
    const struct reconcile_case *subject = job->subject;

    job->state = JOB_FOUND;
    job->due_us = clock_monotonic_us() + AGAIN_US;
    if (durable) {
        log_event(LOG_INFO, "reconciled", "request %.*s: %s: %s", (int)subject->request_id.length,
                  subject->request_id.data, reconcile_finding_name(job->course.result), job->course.detail);
        reconciler->found[job->course.result - FINDING_PRESENT]++;
        reconcile_job_drop(job);
    }
    reconcile_pump(reconciler);
}

/* What the record says of a case. */
static struct record_fields fields_of(const struct reconcile_job *job)
{
    const struct reconcile_case *subject = job->subject;
    const struct reconcile_course *course = &job->course;
    bool made = course->result == FINDING_PRESENT && course->match[0] != '\0';

    return (struct record_fields){
        .stage = STAGE_RECONCILED,
        .time_us = clock_now_us(),
        .detail = span_of(course->detail),
        .operation = subject->operation,
        .organization = subject->organization,
        .principal = subject->principal,
        .request_id = subject->request_id,
        .resource = made ? span_of(course->match) : subject->resource,
        .result = span_of(reconcile_finding_name(course->result)),
        .upstream_status = {course->status > 0, (uint64_t)course->status},
    };
}

static void write_record(struct reconcile_job *job)
{
    const struct record_fields fields = fields_of(job);
    struct record record = {0};

    if (record_build(&fields, &record) && journal_append(job->owner->port, &record, on_written, job))
        job->state = JOB_WRITING;
    else
        job->due_us = clock_monotonic_us() + AGAIN_US;
    record_free(&record);
}

/* ---- what is due ---- */

static void attend_waiting(struct reconcile_job *job, int64_t now)
{
    struct reconciler *reconciler = job->owner;
    const struct reconcile_job **place = place_of(reconciler, NULL);

    if (job->due_us < reconciler->paused_until_us)
        job->due_us = reconciler->paused_until_us;
    if (now >= job->deadline_us || job->due_us >= job->deadline_us)
        out_of_time(job);
    else if (now >= job->due_us && place != NULL && !is_busy(reconciler, job))
        ask(job, place);
}

int64_t reconcile_job_attend(struct reconcile_job *job, int64_t now)
{
    if (job->state == JOB_WAITING)
        attend_waiting(job, now);
    if (job->state == JOB_FOUND && now >= job->due_us)
        write_record(job);
    switch (job->state) {
    case JOB_WAITING: /* due and still here: it waits for its turn, and whoever has it will pump */
        return job->due_us > now ? job->due_us : job->deadline_us;
    case JOB_FOUND:
        return job->due_us;
    case JOB_ASKING:
    case JOB_WRITING:
        break;
    }
    return INT64_MAX;
}
