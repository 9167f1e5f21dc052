-- What a resolved program rests on, down to text, where heads that it looks at were their programs; empty where
-- they were the model's own.
ALTER TABLE findings ADD COLUMN chain TEXT DEFAULT '';
