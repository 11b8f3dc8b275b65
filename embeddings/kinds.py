"""The kinds of the commonest words in captions: a small hand-made list that colours the maps.

An ambiguous word has its usual kind in captions ("watch" is an action). Words without a kind, mostly adjectives, are `OTHER`.
"""

PEOPLE, ANIMALS, COLOURS, ACTIONS, THINGS, FUNCTION, OTHER = (
    "people", "animals", "colours", "actions", "things", "function words", "other",
)  # fmt: skip
KINDS = (PEOPLE, ANIMALS, COLOURS, ACTIONS, THINGS, FUNCTION, OTHER)

_WORDS = {
    PEOPLE: """
        man boy woman girl people child person group men children girls player boys women crowd baby kids players couple guy
        lady skateboarder snowboarder rider kid skier surfer toddler biker team climber male adults adult female guys hiker
        family cyclist bicyclist motorcyclist bride teenagers police toddlers friends teams spectators
    """,
    ANIMALS: """
        dog dogs horse bird horses animal puppy greyhound greyhounds shepherd cat cow bull birds puppies animals
        retriever poodle terrier collie labrador cows duck fish
    """,
    COLOURS: """
        white black brown red blue yellow green orange pink tan purple grey gray blonde blond golden gold silver beige colored
    """,
    ACTIONS: """
        wearing running playing standing jumping sitting holding walking jumps runs riding stands play looking sits dressed
        walks plays stand climbing looks smiling swimming carrying rides holds doing jump sit run catch walk posing watches ride
        watching look racing watch pose taking leaps chasing climbs laying smiles surrounded hanging performing takes trying
        talking making flying eating carries going dancing swinging leaping poses sliding fighting catches splashing
        skateboarding swings smile wears get getting drinking gets skiing waiting catching overlooking leaning makes pulling
        laughing swims chases fishing throwing flies hold performs tries swim climb lying surfing flip take reading slides surf
        coming shopping turn falling go biting fight skating hiking driving hit kicking goes using covered attempting
        attempts dance fallen hugging kick painted pushing throws blowing hangs kicks diving smoking sticking paint
        prepares sleeping snowboarding wrestle lays staring wrestling crossing attached dances throw pointing kissing
        talks wear leans
    """,
    THINGS: """
        water shirt ball grass snow field air mouth beach street bike rock camera pool jacket hat toy soccer wall background
        dirt mountain top park face football building stick hill sand skateboard tree car hair tennis ocean road picture race
        area bench bicycle helmet trick sidewalk game shorts ground basketball fence swing head dress hand frisbee slide lake
        wave city ramp path side track baseball coat pants boat arms trees rope motorcycle uniform rocks suit sunglasses hands
        sign jeans table ice river yard cliff woods mountains body hockey cap glasses collar edge fountain forest playground
        backpack night object brick middle guitar pole surfboard arm bed shore line window trail flowers clothes outfit course
        leash sky shirts bridge stone bag steps floor gear legs waves board costume house room tongue chair day obstacle mud
        clothing lawn leaves metal railing jersey sun winter store drink bar concrete sled trampoline stairs uniforms rail
        sweater distance fire hats train number cellphone eyes tricks umbrella hurdle nose puddle stream vest bubbles pond ski
        snowboard view food tank trunks bat photo tire wetsuit bags court equipment feet flag slope truck dresses shoes bikes
        couch flags harness ledge mask vehicle book dock skirt stunt cart raft structure waterfall cement cigarette skis subway
        parade restaurant paper tent ears faces sweatshirt bus chairs goal scarf wheel goggles ring tunnel blanket canoe cars
        kayak boots graffiti jackets pictures pile drinks glass leather splashes sunset wood backyard piece beard
        bottle event garden microphone surface volleyball band door statue bikini corner party rugby balls furry net outfits
        scooter bicycles buildings end bunch costumes flower leg phone racetrack sticks cup log poles desert beer box
    """,
    FUNCTION: """
        a in the on is and with of two are to at an his through while down over three up by one her into near another for from
        its as outside other out off their behind around some has along four across each him that it something being several
        there them under towards beside does above who onto against he after inside during many five very others whilst away
        past this someone about toward all between they like no or both she be have six few below do
        just not what
    """,
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def kind(word: str) -> str:
    """
    >>> kind("puppy"), kind("because")
    ('animals', 'other')
    """
    return _KIND_OF.get(word, OTHER)
