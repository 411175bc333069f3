-- Reads score and header of timer entries at one moment: an id that went away since it was listed is not a lost document.
-- KEYS: t, one key per document. ARGV: ids.
local entries = {}
for i = 1, #ARGV do
  entries[i] = {
    redis.call('ZSCORE', KEYS[1], ARGV[i]),
    redis.call('GETRANGE', KEYS[i + 1], 0, 191),
  }
end
return entries
