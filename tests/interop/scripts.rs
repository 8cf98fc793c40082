//! One test for each case of the Python scripts: stomp.py, paho-mqtt, and both together.

use std::time::Duration;

use crate::support::clients::{run_script, script};
use crate::support::{Broker, Setup};

macro_rules! cases {
    ($script:literal: $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                run_script($script, &Broker::start(), &[stringify!($case)]);
            }
        )+
    };
    ($script:literal with $settings:ident: $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                let broker = Setup::new().config($settings).start();
                run_script($script, &broker, &[stringify!($case)]);
            }
        )+
    };
}

/// Cases that wait for the clock.
macro_rules! long_cases {
    ($script:literal with $settings:ident: $($case:ident)+) => {
        $(
            #[test]
            #[ignore = "takes up to two minutes"]
            fn $case() {
                let broker = Setup::new().config($settings).start();
                let ended = script($script, &broker, &[stringify!($case)]).ended(Duration::from_secs(180));
                assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
            }
        )+
    };
}

mod stomp_py {
    use super::*;

    cases! { "stomp_client.py":
        version_1_0
        version_1_1
        version_1_2
        ack_auto
        ack_client
        ack_client_individual
        nack
        transaction_commit
        transaction_abort
        transacted_ack
        receipts
        heart_beats
        durable_subscription
        binary_body
        refusal
        selectors
        wildcards
    }
}

mod paho {
    use super::*;

    cases! { "paho_client.py":
        what_the_broker_announces
        assigned_client_id
        session_expiry
        topic_alias
        aliases_from_the_broker
        subscription_identifiers
        request_and_response
        publish_properties
        message_expiry
        no_matching_subscribers
        no_local
        retain_as_published
        retain_handling
        maximum_packet_size
        will_with_properties
        disconnect_with_will
        shared_subscription
        exactly_once_both_ways
        version_3_1_1
        version_3_1
    }
}

mod both {
    use super::*;

    cases! { "both_protocols.py":
        mqtt_to_stomp
        stomp_to_mqtt
        names_map_and_come_back
        bytes_stay_bytes
        wildcards_on_both_sides
        quality_of_service
        retained
        to_a_durable_subscriber
        to_an_absent_session
        a_queue_on_both_sides
    }
}

/// The features of STOMP destinations, one script for each; `against-activemq` there runs the same on ActiveMQ.
mod stomp_features {
    use super::*;

    const SETTINGS: &str = include_str!("stomp/settings.toml");

    mod browse {
        use super::*;

        cases! { "stomp/browse.py" with SETTINGS:
            everything
            nothing_after_the_end
            empty
            with_selector
            in_flight
            acknowledged
            many
            under_a_pattern
            not_a_topic
            browse_from
        }
    }

    mod composite {
        use super::*;

        cases! { "stomp/composite.py" with SETTINGS:
            to_queues
            to_a_queue_and_a_topic
            without_prefix
            the_same_twice
            empty_element
            kept
            in_a_transaction
            subscribed
        }
    }

    mod dedup {
        use super::*;

        cases! { "stomp/dedup.py" with SETTINGS:
            dropped
            without_identity
            after_consumption
            queue_by_queue
            other_header
            forgotten
            in_transactions
        }
    }

    mod durable {
        use super::*;

        cases! { "stomp/durable.py" with SETTINGS:
            offline
            acknowledged_and_gone
            inactive_after_unsubscribe
            deleted
            deleted_while_active
            deleted_from_afar
            two_connections_of_one_client
            active_twice
            two_names
            other_topic
            under_a_pattern
            no_local
            of_a_queue
            without_client_id
        }
    }

    mod exclusive {
        use super::*;

        cases! { "stomp/exclusive.py" with SETTINGS:
            fail_over
            before_others
            higher_priority_takes_over
            priority
            single_active
        }
    }

    mod expiry {
        use super::*;

        cases! { "stomp/expiry.py" with SETTINGS:
            shown_while_alive
            to_the_dead_letters
            non_persistent
            in_the_past
            in_hand
            durable_subscription
            own_queue
            dropped
        }
    }

    mod flow {
        use super::*;

        cases! { "stomp/flow.py" with SETTINGS:
            refused
            blocked
            dead_letters
            in_a_transaction
            paused
            acknowledged_makes_room
        }
    }

    mod groups {
        use super::*;

        cases! { "stomp/groups.py" with SETTINGS:
            sticky
            ungrouped_beside
            moves_when_consumer_leaves
            waits_for_its_consumer
            closed
            first_for_consumer
            backlog
            no_groups_on_topics
            strict
            strict_and_refused
            switched_off
        }
    }

    mod last_value {
        use super::*;

        cases! { "stomp/last_value.py" with SETTINGS:
            replaced
            without_key
            in_hand
            browsed
            in_a_transaction
        }
    }

    mod locks {
        use super::*;

        cases! { "stomp/locks.py" with SETTINGS:
            timeout
            late_ack
            same_consumer
            in_time
            to_the_dead_letters
            extended
            of_the_consumer
        }
    }

    mod message_selectors {
        use super::*;

        cases! { "stomp/message_selectors.py" with SETTINGS:
            equality
            numbers
            like
            between
            in_list
            is_null
            arithmetic
            boolean
            jms_headers
            disjoint_consumers
            behind_others
            on_a_topic
            durable_subscription
            changed_selector
            invalid
        }
    }

    mod priority {
        use super::*;

        cases! { "stomp/priority.py" with SETTINGS:
            honoured
            only_carried
            default
        }
    }

    mod redelivery {
        use super::*;

        cases! { "stomp/redelivery.py" with SETTINGS:
            nack_to_dead_letters
            others_go_on
            nack_in_client_mode
            back_in_order
            back_off
            own_dead_letters
            dead_letters_dropped
            non_persistent
            on_a_topic
            within_the_dead_letters
            policy_dead_letter
            policy_discard
            nack_with_delay
            nack_without_requeue
        }
    }

    mod retroactive {
        use super::*;

        cases! { "stomp/retroactive.py" with SETTINGS:
            retained
            retained_by_its_short_name
            retained_under_a_pattern
            retained_and_cleared
            retained_for_a_selector
            last_ones
            last_ones_with_selector
            last_ones_under_a_pattern
            last_minutes
            last_value
            durable
        }
    }

    mod ring {
        use super::*;

        cases! { "stomp/ring.py" with SETTINGS:
            newest_stay
            room_is_used_first
            in_hand
            not_to_the_dead_letters
        }
    }

    mod scheduled {
        use super::*;

        cases! { "stomp/scheduled.py" with SETTINGS:
            delay
            in_order_of_time
            repeat
            delay_and_repeat
            period_alone
            repeat_alone
            no_delay
            to_a_topic
            in_a_transaction
            expiry_begins_with_the_delivery
            bad_values
        }

        long_cases! { "stomp/scheduled.py" with SETTINGS:
            long_cron
        }
    }

    mod subscribe_headers {
        use super::*;

        cases! { "stomp/subscribe_headers.py" with SETTINGS:
            prefetch
            prefetch_and_cumulative_ack
            prefetch_without_ack
            fair_share
            no_local
            dispatch_async
            pending_limit
            options_in_the_name
            exclusive_in_the_name
            options_of_send
        }
    }

    mod temporary {
        use super::*;

        cases! { "stomp/temporary.py" with SETTINGS:
            request_and_reply
            over_a_topic
            one_for_each_connection
            foreign_subscription
            own_remote_name
            sent_before_subscribed
            given_back
            gone_with_its_connection
            made_up_name
            in_a_transaction
        }
    }

    mod transactions {
        use super::*;

        cases! { "stomp/transactions.py" with SETTINGS:
            commit
            abort
            lost_connection
            several_at_once
            ack_and_commit
            ack_and_abort
            cumulative_ack
            nack_within
            subscribe_within
            unknown
            begun_twice
            ended
        }
    }

    mod transformation {
        use super::*;

        cases! { "stomp/transformation.py" with SETTINGS:
            json_to_json
            json_to_xml
            xml_to_json
            untransformed
            ordinary_json
            text_stays
            unknown
            bytes_stay
        }
    }

    mod virtual_topics {
        use super::*;

        cases! { "stomp/virtual_topics.py" with SETTINGS:
            each_group_gets_all
            competing_in_a_group
            kept_while_away
            direct_send
            below
            name_of_one_level
            with_selector
            non_persistent
            in_a_transaction
        }
    }

    mod wildcards {
        use super::*;

        cases! { "stomp/wildcards.py" with SETTINGS:
            one_level
            all_below
            backlog
            individual_ack
            cumulative_ack
            prefetch
            unacknowledged_return
            with_selector
            competing
            refused_message
        }
    }
}
