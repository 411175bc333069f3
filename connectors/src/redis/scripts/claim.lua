-- Raises the epoch, adds the asker to the owners and answers the position.
-- KEYS: pos. ARGV: transactional id.
local owners = {}
local known = redis.call('HGET', KEYS[1], 'owners')
if known then
  local ok, list = pcall(cjson.decode, known)
  if ok and type(list) == 'table' then
    for _, owner in ipairs(list) do
      -- The asker moves to the end, so the newest claimer is always last.
      if owner ~= ARGV[1] then owners[#owners + 1] = owner end
    end
  end
end
owners[#owners + 1] = ARGV[1]
redis.call('HINCRBY', KEYS[1], 'ep', 1)
redis.call('HSET', KEYS[1], 'owners', cjson.encode(owners))
return redis.call('HMGET', KEYS[1], 'wm', 'jpos', 'ep', 'owners', 'at', 'inst')
