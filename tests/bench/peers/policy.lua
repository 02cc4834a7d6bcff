-- The policy for nginx: digest of the token, principal, version, route, permission in the organisation. As lean as Lua can have it: tables that are
-- read once, OpenSSL's SHA-256 without a detour, patterns compiled and kept.
local ffi = require "ffi"
ffi.cdef [[unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *digest);]]

local policy = {}
local tokens, grants = {}, {}
local digest = ffi.new("unsigned char[32]")
local C, to_string = ffi.C, ffi.string
local match, find, var = ngx.re.match, ngx.re.find, ngx.var
local lower, sub = string.lower, string.sub
local VERSION = [[@VERSION_PATTERN@]]
local ROUTE = [[@ROUTE_PATTERN@]]
local ROUTE_ORGANISATION = 12 -- where the organisation begins in a path that matched
local CAN_READ = { r = true, rw = true }

local function bytes_of(hex)
    return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

function policy.load(directory)
    for line in io.lines(directory .. "/tokens.map") do
        local hex, principal = line:match("^(%S+) (%S+)$")
        tokens[bytes_of(hex)] = principal
    end
    for line in io.lines(directory .. "/grants.map") do
        local principal, organisation, may = line:match("^([^:]+):(%S+) (%S+)$")
        grants[principal] = grants[principal] or {}
        grants[principal][organisation] = may
    end
end

local function principal_of(authorization)
    if not authorization then
        return nil
    end
    local first, last = find(authorization, "^(?:token|bearer) +", "ijo")
    if not first then
        return nil
    end
    local secret = sub(authorization, last + 1)
    C.SHA256(secret, #secret, digest)
    return tokens[to_string(digest, 32)]
end

local function refuse(status, detail)
    ngx.status = status
    ngx.header.content_type = "application/vnd.api+json"
    ngx.print('{"jsonapi":{"version":"1.0"},"errors":[{"status":"', status, '","detail":"', detail, '"}]}')
    return ngx.exit(status)
end

function policy.check()
    local path, method = var.uri, var.request_method
    if not find(path, ROUTE, "jo") then
        return refuse(404, "There is no such operation.")
    end
    local principal = principal_of(var.http_authorization)
    if not principal then
        return refuse(401, "No known token.")
    end
    var.principal = principal
    local version = var.arg_version
    if not version or not find(version, VERSION, "jo") then
        return refuse(400, "No good version.")
    end
    local organisation = sub(path, ROUTE_ORGANISATION, ROUTE_ORGANISATION + 35)
    var.organization = organisation
    local may = grants[principal] and grants[principal][organisation]
    local mutation = method ~= "GET" and method ~= "HEAD"
    if mutation and may ~= "rw" or not CAN_READ[may] then
        return refuse(403, "Not permitted.")
    end
    if mutation then
        ngx.req.read_body()
    end
end

return policy
