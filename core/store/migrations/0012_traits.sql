-- What a model was found to do where that is not what most do: layers without heads, windows, sinks. JSON.
ALTER TABLE models ADD COLUMN traits TEXT DEFAULT '{}';
