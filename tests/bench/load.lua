-- The load: sends the requests of the file BENCH_REQUESTS in turn, and prints what came of it as one line of JSON.
local requests = dofile(os.getenv("BENCH_REQUESTS"))
local count, number = #requests, 0

function request()
    number = number % count + 1
    return requests[number]
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        'BENCH {"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
