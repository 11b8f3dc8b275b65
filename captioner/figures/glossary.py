"""The meaning of every figure in one line, as the README files and the pages show it."""

from captioner.config import CONTROLS
from captioner.scoring.caption_style import RARE

GLOSSARY: dict[str, str] = {
    "CIDEr": "n-gram agreement with human captions, weighted towards n-grams that few photographs share; 0.55 here is 55 in "
    "papers that multiply by 100",
    "BLEU-1 to 4": "share of a caption's n-grams (of 1 to 4 words) that occur in a human caption, with a brevity penalty",
    "ROUGE-L": "agreement in the longest common subsequence of words",
    "METEOR": "word-by-word agreement that also counts inflected forms and synonyms",
    "95% interval": "bootstrap interval: the photographs are resampled with replacement",
    "paired difference": "the difference of two decoders on the same photographs; significant when its 95% interval excludes 0",
    "loss": "mean cross-entropy per word of the human captions, in nats",
    "dev and test": "held-out photographs: settings are chosen on dev, test is only reported (where train and dev are joined, "
    "dev is not held out)",
    "trainable parameters": "the numbers of a decoder that training changes",
    "frozen parameters": "its word vectors where they are frozen, and the means and variances of batch normalisation where a "
    "recipe has it; the CNN is not counted",
    "parameters": "all numbers of a decoder, trainable and frozen, without the CNN",
    "milliseconds a caption": "median time from CNN features to a caption, one photograph at a time",
    "merge, init, pre": "how a whole photograph enters: added to the LSTM's output, as its initial state, as the first word",
    "seconds an epoch": "median time of one pass over the training photographs",
    "seconds of the fastest epoch": "time of the fastest pass, the one least slowed by other programs",
    "views": "versions of a training photograph: whole, mirrored or cropped; each epoch uses one",
    "people": "each human caption scored like a decoder's, against the other captions of its photograph",
    "one sentence for all": "one frequent training caption for every photograph: the one that fits training photographs best",
    "beam": "beam size: the number of partial captions that the search keeps at each word",
    "length preference": "length normalisation: log-probability is divided by length to this power; more favours long captions",
    "words in a caption": "mean caption length",
    "different captions": "number of distinct captions",
    "different words": "number of distinct words in all captions",
    "repeats itself": "share of captions with the same word pair twice",
    "breaks off": "share of captions that end in a word that needs another, such as “with a”",
    "repeats itself or breaks off": "share of captions with either flaw",
    "says a word twice": "share of captions that use a noun, verb or adjective twice, such as “a pizza on top of a pizza”",
    "names the object": "share of labelled photographs, held out of training, whose caption names the labelled object",
    "seen in training": "share of captions that occur word for word among the training captions",
    "rare words found": f"recall of rare words ({RARE[0]} to {RARE[1]} occurrences in the training captions) that people used "
    "for the photograph; for people, of those that the others used; the rows below split it by frequency",
    "strangest fifth": "the fifth of the photographs whose features are furthest from the principal components of the training "
    "photographs",
    "seed": "the start of the random numbers; each seed is a separate run from scratch",
    "minutes, cores": "training time of one run without the word vectors' own, and the number of CPU cores",
    "attention": "the weight of each region of the photograph before a word",
    "word slots": "nouns of the CNN's own classes that a decoder attends to and may copy",
    "fine-tuned CNN": "the CNN after it was trained once together with decoders on the training photographs, then frozen",
    "original CNN": "the CNN as trained on ImageNet's 1,000 kinds of things, not fine-tuned",
} | {one.title: f"a control: {one.explanation}" for one in CONTROLS.values()}
