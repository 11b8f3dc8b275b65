"""Workers that are threads of one process, for tests of what they tell each other and compute together."""

import threading

import tensorflow as tf

from captioner.training.worker_group import Shard, WorkerGroup


class Meeting:
    """Where workers meet that are threads of one process."""

    def __init__(self, count):
        self.barrier, self.brought = threading.Barrier(count), [None] * count

    def of_all(self, find):
        """What each of them finds, or the error it ends with."""
        found = [None] * len(self.brought)

        def run(number):
            try:
                found[number] = find(InThreads(number, self))
            except Exception as error:
                found[number] = error

        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


class InThreads(WorkerGroup):
    """All of a worker but the way on which numbers are added up."""

    def __init__(self, number, meeting):
        self.shard, self.meeting = Shard(number, len(meeting.brought)), meeting

    def sum(self, values):
        self.meeting.brought[self.shard.number] = values
        self.meeting.barrier.wait(60)
        added = tf.add_n(list(self.meeting.brought))
        self.meeting.barrier.wait(60)
        return added
