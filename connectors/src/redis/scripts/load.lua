-- Reads position, counters and documents of a lane at one moment.
-- KEYS: pos, n, documents.
local documents = {}
for i = 3, #KEYS do
  documents[i - 2] = redis.call('GET', KEYS[i])
end
return {
  redis.call('HMGET', KEYS[1], 'wm', 'jpos', 'ep', 'owners', 'at', 'inst'),
  redis.call('HGETALL', KEYS[2]),
  documents,
}
