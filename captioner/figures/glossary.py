"""What every figure means, in one line each: the README and the pages show these lines and no others."""

from dataclasses import dataclass

from captioner.config import CONTROLS
from captioner.scoring.caption_style import RARE


@dataclass(frozen=True)
class Term:
    """A word or a group of words, and its meaning for who reads it for the first time."""

    name: str
    meaning: str


GLOSSARY: tuple[Term, ...] = (
    Term(
        "CIDEr",
        "agreement in runs of words, those that few photographs share counting most; "
        "0.55 here is 55 in papers that multiply by 100",
    ),
    Term(
        "BLEU-1 to 4",
        "share of a caption's runs of one to four words that stand in a human caption, with a penalty for shortness",
    ),
    Term("ROUGE-L", "agreement in the longest common sequence of words"),
    Term("METEOR", "agreement word by word, where other forms of a word and words of equal meaning count too"),
    Term(
        "95% interval",
        "the range in which a score stays 95 times of 100 when the photographs are drawn again at random, with repeats",
    ),
    Term(
        "paired difference",
        "how far two decoders lie apart on the same photographs; when its 95% interval holds 0, chance can explain it",
    ),
    Term("loss", "mean cross-entropy per word in nats: how surprised a decoder was by the human captions"),
    Term(
        "dev and test",
        "photographs that no decoder was trained on, but on dev where it was joined to the training photographs: settings are "
        "chosen on dev, test is only reported",
    ),
    Term("trainable parameters", "the numbers of a decoder that training learned"),
    Term(
        "frozen parameters",
        "its word vectors, where training left them as they were, and the means and variances that batch normalisation counts, "
        "where a recipe has it; the CNN's are in neither count",
    ),
    Term("parameters", "all numbers of a decoder, trained or not; the CNN's are not among them"),
    Term(
        "milliseconds a caption",
        "how long a caption took from the CNN's features to its last word, the middle one of several photographs, one at a time",
    ),
    Term(
        "merge, init, pre",
        "three ways for a whole photograph to enter: added to what the LSTM says, as its first state, as its first word",
    ),
    Term("seconds an epoch", "how long one pass over the training photographs took, the middle one of all passes"),
    Term("seconds of the fastest epoch", "the same of the quickest pass; other work on the machine may have slowed the rest"),
    Term("views", "in how many ways a training photograph is shown: whole, as a mirror image, or cropped; each epoch takes one"),
    Term("people", "each human caption scored as if a decoder had written it, against the other captions of its photograph"),
    Term(
        "one sentence for all",
        "the same sentence for every photograph: of the commonest training captions "
        "the one that suits training photographs best",
    ),
    Term("beam", "how many unfinished captions the search keeps at each word"),
    Term(
        "length preference",
        "the power of the length by which a caption's log-probability is divided; more favours longer captions",
    ),
    Term("words in a caption", "how long the captions are, on average"),
    Term("different captions", "how many remain of the captions when each is counted once"),
    Term("different words", "how many words remain of all captions when each is counted once"),
    Term("repeats itself", "share of captions in which the same two neighbouring words stand twice"),
    Term("breaks off", "share of captions that end in a word after which another must come, such as “with a”"),
    Term("repeats itself or breaks off", "share of captions with either of these two flaws"),
    Term("seen in training", "share of captions that a person wrote, word for word, for a training photograph"),
    Term(
        "rare words found",
        f"of the words that people used for a photograph and that occurred {RARE[0]} to {RARE[1]} times in the training "
        "captions, the share that its caption has, too (of people: the words that the others used); below it the same by how "
        "often they occurred",
    ),
    Term(
        "strangest fifth",
        "the fifth of the photographs whose features the training photographs' common directions express worst",
    ),
    Term("seed", "the start of a training's random numbers; another seed is another training from the start"),
    Term("minutes, cores", "how long the epochs of one training took, the vectors' own training not counted, on how many cores"),
    Term("attention", "where over the grid of regions of the photograph a decoder looked before a word"),
    Term("adapted encoder", "the CNN after it was trained on, once, with decoders and the training photographs, and then frozen"),
    Term("CNN as it comes", "the CNN as it was trained to name 1,000 kinds of things, and not touched since"),
    *(Term(one.title, f"{one.explanation}; one of those that the three are held against") for one in CONTROLS.values()),
)
